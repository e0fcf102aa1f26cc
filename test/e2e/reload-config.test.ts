import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { ask, curl, openSession } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setBusyStage } from '../stage.ts';
import { becomesLive, configOf } from '../tagging.ts';
import type { Traffic } from '../traffic.ts';

describe('saving the config', () => {
  let proxy: ProxyProcess;
  let traffic: Traffic;
  const files = Object.fromEntries(
    ['one', 'two', 'three'].map((name) => [
      `${name}.ts`,
      `import { defineAddon } from 'insight-dump';
       import { z } from 'zod';
       export default defineAddon({
         options: z.object({ word: z.string().default('${name}') }),
         running(ctx) { ctx.log.info('${name} is running'); },
         done(ctx) { ctx.log.info('${name} is done'); },
         responseHeaders(flow, ctx) { flow.response.headers.append('x-tag', ctx.options.word); },
       });`,
    ]),
  );
  setBusyStage({ config: configOf(`'one.ts', 'two.ts'`), files }, (stage) => {
    ({ proxy, traffic } = stage);
  });

  const save = async (config: string, ...expected: readonly string[]) => {
    proxy.write('addons.config.ts', config);
    await becomesLive(traffic, expected.join(', '));
  };
  const stays = async () => assert.equal(await traffic.tag(), 'one, two');

  it('adds, reorders, removes and sets options of addons, each at once', async () => {
    await stays();
    await save(configOf(`'one.ts', 'two.ts', 'three.ts'`), 'one', 'two', 'three');
    await proxy.said(/three is running/);
    await save(configOf(`'three.ts', 'one.ts', 'two.ts'`), 'three', 'one', 'two');
    await save(configOf(`'three.ts', { script: 'one.ts', enabled: false }, 'two.ts'`), 'three', 'two');
    await proxy.said(/one is done/);
    assert.doesNotMatch(proxy.output, /(two|three) is done/);
    const options = `options: { auth: { users: ['alice'] }, two: { word: 'zwei' } }`;
    await save(configOf(`'three.ts', 'two.ts'`, options), 'three', 'zwei');
    await save(configOf(`'one.ts', 'two.ts'`), 'one', 'two');
  });

  for (const [what, config, message] of [
    ['does not compile', 'export default {', /addons\.config\.ts:1:17: .* changes nothing/],
    ['names a script that is not there', configOf(`'four.ts'`), /no such script: four\.ts; .* changes nothing/],
    [
      'has a setting that is none',
      configOf(`'one.ts'`, 'flowDetails: 2'),
      /"flowDetails" \(did you mean "flowDetail"\?\)/,
    ],
    [
      'gives an option a wrong type',
      configOf(`'one.ts', 'two.ts'`, `options: { auth: { users: ['alice'] }, two: { word: 7 } }`),
      /two: word: .*expected string.*given: 7/,
    ],
    [
      'sets an option that is none',
      configOf(`'one.ts', 'two.ts'`, `options: { auth: { users: ['alice'] }, two: { wrod: '' } }`),
      /two: no option named "wrod" \(did you mean "word"\?\)/,
    ],
    ['lists a script twice', configOf(`'one.ts', './one.ts'`), /script listed twice: one\.ts/],
  ] as const) {
    it(`changes nothing when it ${what}`, async () => {
      const since = proxy.output.length;
      proxy.write('addons.config.ts', config);
      await proxy.said(message, since);
      await stays();
    });
  }

  it('takes an addon out together with options that it cannot be without', async () => {
    proxy.write(
      'needy.ts',
      `import { z } from 'zod'; export default { options: z.object({ must: z.string() }), responseHeaders(flow, ctx) {
        flow.response.headers.append('x-tag', ctx.options.must); } };`,
    );
    await save(
      configOf(`'one.ts', 'needy.ts'`, `options: { auth: { users: ['alice'] }, needy: { must: 'have' } }`),
      'one',
      'have',
    );
    await save(configOf(`'one.ts', 'two.ts'`), 'one', 'two');
  });

  it('comes in when a helper that it lacked turns up', async () => {
    const since = proxy.output.length;
    proxy.write(
      'addons.config.ts',
      `import { list } from './list.ts'; export default { addons: ['addons/auth.ts', ...list], options: { auth: { users: ['alice'] } } };`,
    );
    await proxy.said(/Could not resolve "\.\/list\.ts"; addons\.config\.ts changes nothing/, since);
    proxy.write('list.ts', `export const list = ['two.ts'];`);
    await becomesLive(traffic, 'two');
    await save(configOf(`'one.ts', 'two.ts'`), 'one', 'two');
  });
});

describe('saving the address to listen on', () => {
  /** A port that nobody listens on. */
  const freePort = async () => {
    const server = net.createServer();
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as net.AddressInfo;
    await new Promise((resolve) => server.close(resolve));
    return port;
  };
  const listening = (settings: string, addons = `'one.ts'`) => `export default {
    addons: [${addons}], flowDetail: 0, ${settings}
  };`;
  const withProxy = async (test: (proxy: ProxyProcess) => Promise<void>) => {
    const fake = await startFakeCopilot();
    const config = listening('listenPort: 0');
    const files = { 'one.ts': `export function request() {}` };
    const proxy = await ProxyProcess.start({ upstream: fake, config, files, listenByConfig: true });
    try {
      await test(proxy);
    } finally {
      await proxy.stop();
      await fake.close();
    }
  };
  const answers = async (proxy: ProxyProcess, port: number, host = '127.0.0.1') => {
    const { stdout } = await curl(
      proxy,
      undefined,
      ...['-x', `http://${host}:${port}`, '-o', '/dev/null', '-w', '%{http_code}', `https://${API_HOST}/models`],
    );
    return stdout === '200';
  };

  it('moves to another port at once; connections by the old one go on, new ones do not come in', () =>
    withProxy(async (proxy) => {
      const session = await openSession(proxy, undefined, API_HOST);
      const port = await freePort();
      proxy.write('addons.config.ts', listening(`listenPort: ${port}`));
      await eventually('it answers on the new port', () => answers(proxy, port));
      await proxy.said(new RegExp(`🚀 now on http://127\\.0\\.0\\.1:${port}`));
      assert.equal(await answers(proxy, proxy.port), false);
      assert.equal((await ask(session, { ':path': '/models' })).status, 200);
      session.close();
    }));

  it('moves to another address with the same port', () =>
    withProxy(async (proxy) => {
      proxy.write('addons.config.ts', listening(`listenPort: ${proxy.port}, listenHost: '127.0.0.2'`));
      await eventually('it answers on the new address', () => answers(proxy, proxy.port, '127.0.0.2'));
      assert.equal(await answers(proxy, proxy.port), false);
    }));

  it('changes nothing, and says why, when the port is taken', () =>
    withProxy(async (proxy) => {
      const other = net.createServer();
      await once(other.listen(0, '127.0.0.1'), 'listening');
      const { port } = other.address() as net.AddressInfo;
      proxy.write('two.ts', `export function load() {} export function done(ctx) { ctx.log.info('two is done'); }`);
      proxy.write('addons.config.ts', listening(`listenPort: ${port}`, `'one.ts', 'two.ts'`));
      await proxy.said(
        new RegExp(`port ${port} on 127\\.0\\.0\\.1 is in use: .*; addons\\.config\\.ts changes nothing`),
      );
      assert.equal(await answers(proxy, proxy.port), true);
      other.close();
    }));

  it('changes nothing, and says why, when that would open the proxy to others without passwords', () =>
    withProxy(async (proxy) => {
      proxy.write('addons.config.ts', listening(`listenHost: '0.0.0.0', listenPort: ${proxy.port}`));
      await proxy.said(/0\.0\.0\.0 can be reached by others .*; addons\.config\.ts changes nothing/);
      proxy.write(
        'addons.config.ts',
        listening(`listenHost: '0.0.0.0', listenPort: ${proxy.port}`, `'one.ts', 'addons/auth.ts'`),
      );
      await proxy.said(new RegExp(`🚀 now on http://0\\.0\\.0\\.0:${proxy.port}`));
      // It asks for a password now.
      assert.equal(await answers(proxy, proxy.port), false);
    }));

  it('says of a folder for logs that it changes with the next start', () =>
    withProxy(async (proxy) => {
      proxy.write('addons.config.ts', listening(`listenPort: 0, logs: 'elsewhere'`));
      await proxy.said(/addons\.config\.ts: logs changes with the next start; until then it stays .*logs/);
    }));
});
