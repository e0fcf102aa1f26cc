import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { curl } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { CliProcess, eventually, ProxyProcess, ROOT } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';

/** Runs it to its end. */
async function run(args: readonly string[], files: Record<string, string> = {}, env: NodeJS.ProcessEnv = {}) {
  const cli = new CliProcess({ args, files, env });
  const code = await cli.ended;
  await cli.stop();
  return { code, output: cli.output };
}

const OK_ADDON = { 'ok.ts': `export function request() {}` };

describe('the command line', () => {
  it('says its version, and what it can do', async () => {
    const version = await run(['--version']);
    assert.deepEqual([version.code, version.output], [0, '0.1.0\n']);
    const help = await run(['--help']);
    assert.equal(help.code, 0);
    for (const flag of [
      ...['-s', '-p', '--listen-host', '--set', '--config', '--confdir', '--connect-to', '--upstream-ca'],
      ...['--ssl-insecure', '-q', '-v', '--flow-detail', '--version'],
    ]) {
      assert.match(help.output, new RegExp(`(^|\\s)${flag}\\b`, 'm'), flag);
    }
  });

  it('speaks English, whatever the language of the environment is', async () => {
    const german = { LC_ALL: 'de_DE.UTF-8', LANGUAGE: 'de' };
    const help = await run(['--help'], {}, german);
    assert.match(help.output, /^Options:$[\s\S]*Show version number[\s\S]*\[default: true\]/m);
    const { output } = await run(['--nope'], {}, german);
    assert.match(output, /Unknown argument: nope/);
  });

  const usage = /^insight-dump: .+\n$/;
  for (const [args, expected] of [
    [['--nope'], /nope/],
    [['stray'], /stray/],
    [['-p', 'abc'], /--listen-port/],
    [['-p', '70000'], /--listen-port/],
    [['--flow-detail', '9'], /flow-detail.*9/],
    [['--workers', '0'], /--workers 0: expected a number from 1 to 256/],
    [['--set', 'word'], /--set word: expected addon\.option=value/],
    [['--connect-to', 'a:b'], /--connect-to a:b: expected HOST:PORT:ADDR:PORT/],
  ] as const) {
    it(`refuses ${args.join(' ')} in one line, as wrong usage`, async () => {
      const { code, output } = await run(args);
      assert.match(output, usage);
      assert.match(output, expected);
      assert.equal(code, 2);
    });
  }

  for (const [what, args, files, expected] of [
    ['a missing script', ['-s', 'none.ts'], {}, /no such script: none\.ts/],
    ['a broken script', ['-s', 'bad.ts'], { 'bad.ts': 'export default {\n  oops oops\n}' }, /bad\.ts:2:8: Expected/],
    ['a script that throws', ['-s', 'bad.ts'], { 'bad.ts': '\nthrow new Error("no")' }, /bad\.ts:2:7: no/],
    ['a script without an addon', ['-s', 'bad.ts'], { 'bad.ts': 'export const a = 1' }, /bad\.ts exports no addon/],
    [
      'a script that awaits at the top',
      ['-s', 'bad.ts'],
      { 'bad.ts': 'await 1;\nexport default {}' },
      /bad\.ts:1:1: top-level await cannot be used in an addon: await it in load\(\) or running\(\) instead/,
    ],
    ['a missing config', ['--config', 'none.ts'], {}, /no config file at none\.ts/],
    ['a broken config', ['--config', 'bad.ts'], { 'bad.ts': 'export default [' }, /bad\.ts:1:17/],
    [
      'an option of an addon that is not there',
      ['-s', 'ok.ts', '--set', 'okk.x=1'],
      OK_ADDON,
      /--set: no addon named "okk".*"ok"/,
    ],
    ['an option that is none', ['--set', 'auth.user=x'], {}, /auth: no option named "user" \(did you mean "users"\?\)/],
    ['an option of a wrong type', ['--set', 'auth.required=maybe'], {}, /auth: required: .*boolean.*given: "maybe"/],
    [
      'a CA file that is none',
      ['--upstream-ca', 'ok.ts'],
      OK_ADDON,
      /--upstream-ca from .*ok\.ts: it holds no PEM certificate/,
    ],
    ['an open proxy', ['-s', 'ok.ts', '--listen-host', '0.0.0.0'], OK_ADDON, /0\.0\.0\.0 can be reached by others/],
    ['an address that is not ours', ['--listen-host', '192.0.2.1'], {}, /cannot listen on 192\.0\.2\.1/],
  ] as const) {
    it(`does not start with ${what}, and says so in one line`, async () => {
      const { code, output } = await run(args, files);
      const said = output.split('\n').filter((line) => line.startsWith('insight-dump: '));
      assert.equal(said.length, 1, output);
      assert.match(said[0] as string, expected);
      assert.equal(code, 1);
      assert.doesNotMatch(output, /🚀|\n\s+at /);
    });
  }

  it('does not start on a port that is taken', async () => {
    const taken = net.createServer();
    await once(taken.listen(0, '127.0.0.1'), 'listening');
    const { port } = taken.address() as net.AddressInfo;
    const { code, output } = await run(['-p', String(port)]);
    taken.close();
    assert.match(output, new RegExp(`insight-dump: port ${port} on 127\\.0\\.0\\.1 is in use`));
    assert.equal(code, 1);
  });
});

describe('a started proxy', () => {
  let fake: FakeCopilot;
  before(async () => {
    fake = await startFakeCopilot();
  });
  after(() => fake?.close());

  it('says its address, its CA, its users and where their passwords lie', async (t) => {
    const proxy = await ProxyProcess.start({ isFirst: true });
    t.after(() => proxy.stop());
    await proxy.said(/users: alice, bob; their passwords are in logs\/user_auth\.json/);
    assert.match(
      proxy.output,
      new RegExp(`http://127\\.0\\.0\\.1:${proxy.port} with addons auth → privacy → filter → usage → metrics`),
    );
    assert.ok(proxy.output.includes(proxy.caFile));
  });

  it('runs the scripts named by -s, in their order, with options from the config file and --set', async (t) => {
    const shout = (name: string) => `
      import { defineAddon } from 'insight-dump';
      import { z } from 'zod';
      export default defineAddon({
        options: z.object({
          word: z.string().default('default'), list: z.array(z.string()).default([]), on: z.boolean().default(false),
          number: z.number().default(0),
        }),
        running(ctx) { ctx.log.info('${name} ' + JSON.stringify(ctx.options)); },
      });`;
    const proxy = await ProxyProcess.start({
      config: `export default { addons: ['addons/auth.ts'], options: { b: { word: 'from the file', number: 1 } } };`,
      files: { 'a.ts': shout('a'), 'b.ts': shout('b') },
      args: '-s b.ts -s a.ts --set b.number=2 --set a.list=x --set a.list=y --set a.on'.split(' '),
    });
    t.after(() => proxy.stop());
    await proxy.said(/with addons b → a/);
    await proxy.said(/b {"word":"from the file","list":\[\],"on":false,"number":2}/);
    await proxy.said(/a {"word":"default","list":\["x","y"\],"on":true,"number":0}/);
  });

  it('finds shipped addons from any folder', async (t) => {
    const proxy = await ProxyProcess.start({ args: ['-s', 'addons/usage.ts'], upstream: fake });
    t.after(() => proxy.stop());
    const { code } = await curl(proxy, undefined, `https://${API_HOST}/chat/completions`, '-d', chatRequest('hi'));
    assert.equal(code, 0);
    assert.equal((await proxy.recorded(1))[0]?.insight.user, 'anonymous');
  });

  it('shows of flows what --flow-detail asks for, but no credentials', async (t) => {
    const expectations: [number, RegExp[], RegExp[]][] = [
      [0, [], [/🌐/]],
      [1, [/🌐 anonymous 127\.0\.0\.1 GET https:\S+\/models << 200 \d+b \d+ms\n/], [/accept:/]],
      [2, [/ {4}authorization: \*\*\*/, / {4}accept: \*\/\*/, /<< 200 OK/], [/gpt-4\.1/]],
      [3, [/gpt-4\.1/], []],
      [4, [/gpt-4\.1/], []],
    ];
    for (const [detail, present, absent] of expectations) {
      const args = ['-s', 'ok.ts', '--flow-detail', String(detail)];
      const proxy = await ProxyProcess.start({ upstream: fake, args, files: OK_ADDON });
      t.after(() => proxy.stop());
      await curl(proxy, undefined, '-H', 'Authorization: Bearer tid=secret-word', `https://${API_HOST}/models`);
      if (detail > 0) await proxy.said(/🌐/);
      await proxy.stop();
      for (const pattern of present) assert.match(proxy.output, pattern, `detail ${detail}`);
      for (const pattern of [...absent, /secret-word/]) assert.doesNotMatch(proxy.output, pattern, `detail ${detail}`);
    }
  });

  it('is quiet with -q, and talkative with -v', async (t) => {
    const talkative = await ProxyProcess.start({ upstream: fake, args: ['-v'] });
    t.after(() => talkative.stop());
    await curl(talkative, 'alice', `https://${API_HOST}/models`);
    await talkative.said(/🌐 alice/);
    assert.match(talkative.output, / {4}host: /);
    const silent = new CliProcess({ args: ['-q'] });
    t.after(() => silent.stop());
    await eventually('it has started', () => /👥/.test(tryRead(silent)));
    await silent.stop();
    assert.equal(silent.output, '');
  });
});

function tryRead(cli: CliProcess): string {
  try {
    return cli.read('logs/insight-dump.log');
  } catch {
    return '';
  }
}

describe('npm link', () => {
  it('is given an executable by package.json', async () => {
    const { default: packageJson } = await import('../../package.json', { with: { type: 'json' } });
    assert.equal(packageJson.bin['insight-dump'], 'dist/cli.js');
    const { accessSync, constants } = await import('node:fs');
    accessSync(`${ROOT}/${packageJson.bin['insight-dump']}`, constants.X_OK);
  });
});
