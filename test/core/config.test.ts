import assert from 'node:assert/strict';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Flags, settle } from '../../core/config.ts';
import { PACKAGE_DIR, readConfig } from '../../core/config-file.ts';
import { judgeHost } from '../../core/engine/hosts.ts';
import * as api from '../../core/index.ts';
import { makeFolder } from '../proxy-process.ts';

const NO_FLAGS: Flags = { scripts: [], set: [] };

describe('the config', () => {
  let folder: string;
  before(() => {
    folder = makeFolder({ 'own.ts': '', 'other.ts': '' });
  });
  after(() => rmSync(folder, { recursive: true }));

  const read = (text: string) => {
    const file = path.join(folder, 'addons.config.ts');
    writeFileSync(file, text);
    return readConfig(file, { 'insight-dump': api });
  };
  const settled = async (config: string, flags: Partial<Flags> = {}) =>
    settle({ ...NO_FLAGS, ...flags }, await read(config));

  it('has defaults for everything', async () => {
    const settings = await settled('export default {}');
    assert.deepEqual(settings.listen, { host: '127.0.0.1', port: 8080 });
    assert.deepEqual(settings.fixed, { logs: path.join(folder, 'logs'), upstreamCa: undefined });
    assert.deepEqual([settings.flowDetail, settings.hookTimeoutMs, settings.drainMs], [1, 10_000, 5_000]);
    assert.deepEqual(settings.scripts, []);
    assert.equal(judgeHost(settings.rules.hosts, [{ host: 'api.githubcopilot.com', port: 443 }]), 'allowed');
  });

  it('finds scripts from its own folder, and shipped ones from anywhere', async () => {
    const { scripts } = await settled(`export default {
      addons: ['own.ts', { script: 'addons/auth.ts', required: true }, { script: 'other.ts', enabled: false }],
    };`);
    assert.deepEqual(scripts, [
      { path: path.join(folder, 'own.ts'), name: 'own', required: false },
      { path: path.join(PACKAGE_DIR, 'addons/auth.ts'), name: 'auth', required: true },
    ]);
  });

  it('is beaten by flags', async () => {
    const config = `export default { addons: ['own.ts'], listenPort: 1, flowDetail: 2, allowHosts: [/a/], connectTo: ['::x:1'] };`;
    const { scripts, listen, flowDetail, rules } = await settled(config, {
      scripts: [path.join(folder, 'other.ts')],
      listenPort: 2,
      flowDetail: 0,
      allowHosts: ['B'],
      connectTo: [],
    });
    assert.deepEqual(scripts, [{ path: path.join(folder, 'other.ts'), name: 'other', required: false }]);
    assert.deepEqual([listen.port, flowDetail, rules.connectTo.length], [2, 0, 0]);
    assert.equal(judgeHost(rules.hosts, [{ host: 'b', port: 1 }]), 'allowed');
    assert.equal(judgeHost(rules.hosts, [{ host: 'a', port: 1 }]), 'unlisted');
  });

  it('takes options from --set beside those of the file', async () => {
    const { options, optionsFor } = await settled(`export default { options: { a: { x: 1 } } }`, {
      set: ['a.y=2', 'a.y=3', 'b.z', 'b.with=a=b'],
    });
    assert.deepEqual(options.given('a'), { x: 1 });
    assert.deepEqual([...options.flags('a')], [['y', ['2', '3']]]);
    assert.deepEqual(
      [...options.flags('b')],
      [
        ['z', [true]],
        ['with', ['a=b']],
      ],
    );
    assert.deepEqual(
      optionsFor.map(({ addon, source }) => `${addon} ${path.basename(source)}`),
      ['a --set', 'b --set', 'a addons.config.ts'],
    );
  });

  it('does not show the value of a --set that it cannot read', async () => {
    const settings = settled('export default {}', { set: ['authsecret=hunter2'] });
    await assert.rejects(settings, { code: 'setInvalid', message: '--set authsecret=…: expected addon.option=value' });
  });

  for (const [what, config, expected] of [
    ['nothing exported', 'export const a = 1', /default export: /],
    [
      'an unknown setting',
      'export default { listenprt: 1 }',
      /no setting named "listenprt" \(did you mean "listenPort"\?\)/,
    ],
    ['a wrong type', 'export default { listenPort: "x" }', /listenPort: .*expected number/],
    ['a port that is none', 'export default { listenPort: 70000 }', /listenPort: /],
    ['an addon that is no path', 'export default { addons: [1] }', /addons\.0: /],
    ['a throw', 'throw new Error("no")', /addons\.config\.ts:1:7: no/],
  ] as const) {
    it(`is refused with ${what}`, () => assert.rejects(read(config), { message: expected }));
  }

  for (const [what, config, code] of [
    ['a missing script', `export default { addons: ['none.ts'] }`, 'scriptMissing'],
    ['a pattern that is none', `export default { allowHosts: ['('] }`, 'configInvalid'],
    ['a connectTo that is none', `export default { connectTo: ['x'] }`, 'connectToInvalid'],
  ] as const) {
    it(`is refused with ${what}`, () => assert.rejects(settled(config), { code }));
  }
});
