import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import { ask, basic, openSession, openTunnel, RawConnection } from '../clients.ts';
import type { FakeCopilot, Seen } from '../fake-copilot.ts';
import type { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

const TELL = `export function response(flow, ctx) { ctx.log.info('asked ' + flow.request.path + ' ' + flow.request.url); }`;
const CONFIG = `export default {
  addons: ['addons/auth.ts', 'tell.ts'], options: { auth: { users: ['alice'] } }, flowDetail: 0,
  allowHosts: ['githubcopilot', '^example\\\\.com:80$'],
};`;

/** RFC 9112, section 3.2.4: what a server as a whole can do is asked for by `OPTIONS *`. */
describe('a question about a server as a whole', () => {
  let proxy: ProxyProcess;
  let fake: FakeCopilot;
  setStage({ config: CONFIG, files: { 'tell.ts': TELL } }, undefined, (stage) => {
    ({ proxy, fake } = stage);
  });
  const asked = ({ method, path, host }: Seen) => `${method} ${path} of ${host}`;

  for (const target of ['*', `https://${API_HOST}`, `HTTPS://${API_HOST}:443`]) {
    it(`reaches it as such out of a tunnel, asked for as ${target}`, async () => {
      const tunnel = await openTunnel(proxy, 'alice', API_HOST);
      tunnel.write(`OPTIONS ${target} HTTP/1.1\r\nHost: ${API_HOST}\r\n\r\n`);
      const [answer] = (await once(tunnel, 'data')) as [Buffer];
      assert.match(answer.toString(), /^HTTP\/1\.1 200 /);
      tunnel.destroy();
      assert.equal(asked(fake.requests.at(-1) as Seen), `OPTIONS * of ${API_HOST}`);
      await proxy.said(new RegExp(`asked \\* https://${API_HOST.replaceAll('.', '\\.')}$`, 'm'));
    });
  }

  it('reaches it as such over h2', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    assert.equal((await ask(session, { ':method': 'OPTIONS', ':path': '*', ':authority': API_HOST })).status, 200);
    session.destroy();
    assert.equal(asked(fake.requests.at(-1) as Seen), `OPTIONS * of ${API_HOST}`);
  });

  it('reaches it as such out of a tunnel to another port than that of HTTPS', async () => {
    const connection = await RawConnection.open(proxy.port);
    const authorization = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
    const granted = await connection.ask('CONNECT example.com:80 HTTP/1.1', 'Host: example.com:80', authorization);
    assert.equal(granted.status, 200);
    assert.equal((await connection.ask('OPTIONS * HTTP/1.1', 'Host: example.com')).status, 200);
    connection.socket.destroy();
    assert.equal(asked(fake.requests.at(-1) as Seen), 'OPTIONS * of example.com');
  });

  for (const [target, path] of [
    ['http://example.com', '*'],
    ['http://example.com:80', '*'],
    ['http://example.com/', '/'],
    ['http://example.com?x', '/?x'],
  ]) {
    it(`reaches it as ${path}, asked for as ${target} without a tunnel`, async () => {
      const connection = await RawConnection.open(proxy.port);
      const authorization = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
      const { status } = await connection.ask(`OPTIONS ${target} HTTP/1.1`, 'Host: example.com', authorization);
      assert.equal(status, 200);
      connection.socket.destroy();
      assert.equal(asked(fake.requests.at(-1) as Seen), `OPTIONS ${path} of example.com`);
    });
  }
});
