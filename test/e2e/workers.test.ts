import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { startFakeCopilot } from '../fake-copilot.ts';
import { children, tcpListeners } from '../process-stats.ts';
import { CliProcess, eventually, type ProxyProcess } from '../proxy-process.ts';
import { configOf } from '../tagging.ts';
import { allSay, numbering, startWorkers, tags, workerPids } from '../workers.ts';

const lines = (output: string, pattern: RegExp) => output.split('\n').filter((line) => pattern.test(line));

describe('a proxy of two workers', () => {
  let proxy: ProxyProcess;
  let close: () => Promise<void>;
  before(async () => {
    const upstream = await startFakeCopilot();
    const files = { 'tag.ts': numbering('one') };
    const config = configOf(`'tag.ts'`, 'listenPort: 0');
    proxy = await startWorkers(2, { upstream, config, files, listenByConfig: true });
    close = async () => {
      await proxy.stop();
      await upstream.close();
    };
  });
  after(() => close());

  it('says once how to use it, and what its addons say alike', () => {
    assert.equal(lines(proxy.output, /🚀 insight-dump .* with addons auth → tag, by 2 workers$/).length, 1);
    assert.equal(lines(proxy.output, /👥 users: alice/).length, 1, proxy.output);
  });

  it('answers by both, on one port that is the only one, with one CA', async () => {
    await allSay(proxy, '1/2 one', '2/2 one');
    const ids = [proxy.pid, ...workerPids(proxy).values()];
    assert.equal(ids.length, 3);
    const ports = new Set(ids.flatMap(tcpListeners));
    assert.deepEqual([...ports], [`0100007F:${proxy.port}`]);
  });

  it('has in the log who said what', async () => {
    const entries = await eventually('the greetings of both', () => {
      const all = proxy.read('logs/insight-dump.log').trim().split('\n');
      const users = all.map((line) => JSON.parse(line)).filter(({ message }) => /👥 users/.test(message));
      return users.length === 2 && users;
    });
    assert.deepEqual(entries.map(({ worker }) => worker).sort(), [1, 2]);
  });

  it('takes in a save in all of them, and says so once', async () => {
    const since = proxy.output.length;
    proxy.write('tag.ts', numbering('two'));
    await proxy.said(/tag\.ts reloaded in \d+ ms/, since);
    await allSay(proxy, '1/2 two', '2/2 two');
    assert.equal(lines(proxy.output.slice(since), /reloaded/).length, 1);
  });

  for (const [what, text, message] of [
    ['does not build', 'export const = 1', /tag\.ts:1:14: .*; the last good version stays in force/],
    ['throws', 'throw new Error("no")', /tag\.ts:1:7: no; the last good version stays in force/],
    [
      'fails in one of them only',
      numbering(
        'three',
        `export const load = ({ worker }) => { if (worker.number === 2) throw new Error('not here'); };`,
      ),
      /failed in load: not here; the last good version stays in force/,
    ],
  ] as const) {
    it(`leaves all of them as they are when a save ${what}, and says so once`, async () => {
      const since = proxy.output.length;
      proxy.write('tag.ts', text);
      await proxy.said(message, since);
      assert.deepEqual(await tags(proxy), ['1/2 two', '2/2 two']);
      assert.equal(lines(proxy.output.slice(since), /❌/).length, 1, proxy.output);
    });
  }

  it('takes in the config in all of them or in none, and says so once', async () => {
    const since = proxy.output.length;
    proxy.write('addons.config.ts', configOf(`'tag.ts', 'more.ts'`, 'listenPort: 0'));
    proxy.write('more.ts', 'export const request = 1');
    await proxy.said(/❌ .*more\.ts.*addons\.config\.ts changes nothing/, since);
    proxy.write('tag.ts', numbering('four'));
    await allSay(proxy, '1/2 four', '2/2 four');
    proxy.write(
      'more.ts',
      `export const responseHeaders = ({ response }) => response.headers.append('x-tag', 'more');`,
    );
    proxy.write('addons.config.ts', configOf(`'tag.ts', 'more.ts', `, 'listenPort: 0'));
    await allSay(proxy, '1/2 four, more', '2/2 four, more');
    proxy.write(
      'more.ts',
      `export const responseHeaders = ({ response }) => response.headers.append('x-tag', 'most');`,
    );
    await allSay(proxy, '1/2 four, most', '2/2 four, most');
    proxy.write('addons.config.ts', configOf(`'tag.ts'`, 'listenPort: 0'));
    await allSay(proxy, '1/2 four', '2/2 four');
    assert.equal(lines(proxy.output.slice(since), /addons\.config\.ts applied/).length, 2, proxy.output);
  });

  it('listens elsewhere in all of them, also on another address with the same port', async () => {
    proxy.port = await freePort();
    for (const host of ['127.0.0.1', '0.0.0.0', '127.0.0.1']) {
      const since = proxy.output.length;
      proxy.write('addons.config.ts', configOf(`'tag.ts'`, `listenHost: '${host}', listenPort: ${proxy.port}`));
      await proxy.said(/addons\.config\.ts applied/, since);
      await allSay(proxy, '1/2 four', '2/2 four');
      assert.equal(lines(proxy.output.slice(since), /🚀 now on/).length, 1);
    }
  });

  it('replaces a worker that is killed, with what is in force though a broken save lies on the disk', async () => {
    const since = proxy.output.length;
    proxy.write('tag.ts', 'broken {');
    await proxy.said(/stays in force/, since);
    const [first] = [...workerPids(proxy).values()];
    process.kill(first as number, 'SIGKILL');
    await proxy.said(/❌ worker 1 \(process \d+\) has died: SIGKILL; another takes its place/, since);
    await proxy.said(/worker 1 is there again/, since, 60_000);
    assert.deepEqual(await tags(proxy), ['1/2 four', '2/2 four']);
    proxy.write('tag.ts', numbering('five'));
    await allSay(proxy, '1/2 five', '2/2 five');
  });

  it('stops all of them on a signal that all of them get, and exits with 0', async () => {
    const ids = [proxy.pid, ...workerPids(proxy).values()];
    for (const id of ids) process.kill(id, 'SIGINT');
    assert.equal(await proxy.ended, 0);
    assert.equal(lines(proxy.output, /👋 stopping/).length, 1);
    for (const id of ids) assert.throws(() => process.kill(id, 0), { code: 'ESRCH' });
  });
});

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

describe('a proxy of several workers that cannot start', () => {
  const run = async (args: readonly string[], files: Record<string, string>) => {
    const cli = new CliProcess({ args, files });
    const code = await cli.ended;
    await cli.stop();
    return { code, output: cli.output };
  };
  const busy = net.createServer();
  before(() => new Promise<void>((resolve) => busy.listen(0, '127.0.0.1', resolve)));
  after(() => busy.close());
  const busyPort = () => (busy.address() as net.AddressInfo).port;

  for (const [what, args, files] of [
    ['a script does not build', () => ['-s', 'bad.ts'], { 'bad.ts': 'export default {' }],
    ['a script throws', () => ['-s', 'bad.ts'], { 'bad.ts': 'throw new Error("no")' }],
    [
      'the port is in use',
      () => ['-s', 'ok.ts', '-p', String(busyPort())],
      { 'ok.ts': 'export const request = () => {}' },
    ],
  ] as const) {
    it(`says the same as one process, once, when ${what}`, async () => {
      const [alone, several] = await Promise.all([run(args(), files), run(['--workers', '2', ...args()], files)]);
      assert.equal(alone.code, 1);
      assert.deepEqual(several, alone);
    });
  }
});

describe('a proxy of one worker', () => {
  it('is a process by itself', async (t) => {
    const proxy = await startWorkers(1);
    t.after(() => proxy.stop());
    assert.doesNotMatch(proxy.output, /workers/);
    assert.deepEqual([...workerPids(proxy)], []);
    assert.ok([...children(proxy.pid).values()].every((command) => /esbuild/.test(command)));
    assert.deepEqual(tcpListeners(proxy.pid), [`0100007F:${proxy.port}`]);
  });
});
