import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { curl } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { type FakeParent, startHttpParent, startSocksParent } from '../parent-proxies.ts';
import { CliProcess, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';

/** Colons and percent signs belong to passwords as well. */
const LOGIN = 'parent user:p:ss%w@rd';
const IN_URL = `${LOGIN.split(':', 1).map(encodeURIComponent)}:${encodeURIComponent('p:ss%w@rd')}`;

for (const [kind, startParent, scheme, tunnel, plain] of [
  ['HTTP', startHttpParent, 'http', (host: string) => `CONNECT ${host}`, 'GET http://example.com/x?y=1'],
  ['SOCKS5', startSocksParent, 'socks5', (host: string) => `socks ${host}`, 'socks example.com:80'],
] as const) {
  describe(`servers behind a proxy of ${kind}`, () => {
    let fake: FakeCopilot;
    let parent: FakeParent;
    let proxy: ProxyProcess;
    before(async () => {
      fake = await startFakeCopilot();
      parent = await startParent(fake, LOGIN);
      proxy = await ProxyProcess.start({
        args: [
          ...['--upstream', `${scheme}://${IN_URL}@127.0.0.1:${parent.port}`, '--noproxy', 'direct.example.com'],
          ...['--upstream-ca', 'fake-ca.pem', '--connect-to', `direct.example.com::127.0.0.1:${fake.plainPort}`],
        ],
        config: `export default { addons: ['addons/auth.ts'], options: { auth: { users: ['alice'] } } };`,
        files: { 'fake-ca.pem': fake.ca },
      });
    });
    after(async () => {
      await proxy?.stop();
      await parent?.close();
      await fake?.close();
    });

    it('are reached through it: intercepted, blind, and plain, each with its credentials', async () => {
      for (const [url, ca] of [
        [`https://${API_HOST}/models`, proxy.caFile],
        ['https://example.com/x?y=1', proxy.path('fake-ca.pem')],
        ['http://example.com/x?y=1', proxy.caFile],
      ] as const) {
        const { stdout, stderr } = await curl(
          proxy,
          'alice',
          '--cacert',
          ca,
          '-o',
          '/dev/null',
          '-w',
          '%{http_code}',
          url,
        );
        assert.equal(stdout, '200', `${url} ${stderr}`);
      }
      const expected = [tunnel(`${API_HOST}:443`), tunnel('example.com:443'), plain];
      assert.deepEqual(
        parent.asked,
        expected.map((each) => `${each} ${LOGIN}`),
      );
    });

    it('are asked for all that they can do', async () => {
      const ask = ['-X', 'OPTIONS', '--request-target', 'http://example.com', '-o', '/dev/null', '-w', '%{http_code}'];
      assert.equal((await curl(proxy, 'alice', ...ask, 'http://example.com')).stdout, '200');
      // A proxy is asked in absolute form; the last one makes a `*` of it (RFC 9112, section 3.2.4).
      if (kind === 'HTTP') assert.equal(parent.asked.at(-1), `OPTIONS http://example.com ${LOGIN}`);
      else assert.equal(fake.requests.at(-1)?.path, '*');
    });

    it('keep their connections through it', async () => {
      const count = parent.asked.length;
      for (let i = 0; i < 3; i++) await curl(proxy, 'alice', `https://${API_HOST}/models`);
      assert.ok(parent.asked.length <= count + 1, String(parent.asked));
    });

    it('are reached directly if they are excepted', async () => {
      const count = parent.asked.length;
      const { stdout } = await curl(
        proxy,
        'alice',
        '-w',
        '%{http_code}',
        '-o',
        '/dev/null',
        'http://direct.example.com/',
      );
      assert.deepEqual([stdout, parent.asked.length], ['200', count]);
    });
  });

  describe(`a proxy of ${kind} that refuses`, () => {
    it('is said to be the cause, and the client gets a 502', async (t) => {
      const fake = await startFakeCopilot();
      t.after(() => fake.close());
      const parent = await startParent(fake, LOGIN);
      t.after(() => parent.close());
      const tell = `export function error(flow, ctx) { ctx.log.info('error ' + flow.error.by + ' ' + flow.error.message); }`;
      const proxy = await ProxyProcess.start({
        args: ['-s', 'tell.ts', '--upstream', `${scheme}://wrong:login@127.0.0.1:${parent.port}`],
        files: { 'tell.ts': tell },
      });
      t.after(() => proxy.stop());
      const { stdout } = await curl(proxy, undefined, '-w', ' %{http_code}', `https://${API_HOST}/models`);
      assert.equal(stdout, 'insight-dump: The server could not be reached, or broke off.\n 502');
      await proxy.said(
        new RegExp(`error upstream the upstream proxy 127\\.0\\.0\\.1:${parent.port} did not open the connection: `),
      );
      assert.doesNotMatch(proxy.output, /wrong|login/);
    });
  });
}

describe('a proxy that is none', () => {
  for (const value of [
    'example.com:8080',
    'https://example.com',
    'http://user:secret@',
    'http://user:secret@host/path',
  ]) {
    it(`is refused at the start: ${value}`, async () => {
      const cli = new CliProcess({ args: ['--upstream', value] });
      assert.equal(await cli.ended, 2);
      await cli.stop();
      assert.match(
        cli.output,
        /^insight-dump: --upstream .*: expected http:\/\/host:port or socks5:\/\/host:port.*\n$/,
      );
      assert.doesNotMatch(cli.output, /secret/);
    });
  }
});
