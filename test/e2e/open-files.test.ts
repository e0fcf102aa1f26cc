import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ask, basic, curl, openSession, RawConnection } from '../clients.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { setStage } from '../stage.ts';

/** Takes all file descriptors that are left, when it is asked to, and what becomes free; and gives them back. */
const HOG = `
  import { closeSync, openSync } from 'node:fs';
  const held = [];
  let taking;
  function take() {
    try { for (;;) held.push(openSync('/dev/null', 'r')); } catch (error) { return error.code; }
  }
  export function requestHeaders(flow, ctx) {
    if (flow.request.path === '/take') {
      ctx.log.info('taken until ' + take());
      taking = setInterval(take, 1);
    }
    if (flow.request.path === '/give') {
      clearInterval(taking);
      for (const fd of held.splice(0)) closeSync(fd);
    }
    if (/^.(take|give)$/.test(flow.request.path)) flow.respond({ status: 200 });
  }
`;
const CHAT = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };

describe('when no more files can be opened', () => {
  let proxy: ProxyProcess;
  const config = `export default {
    addons: ['addons/auth.ts', 'hog.ts', 'addons/usage.ts'], options: { auth: { users: ['alice'] } }, flowDetail: 0,
  };`;
  setStage({ config, files: { 'hog.ts': HOG }, openFiles: 200 }, undefined, (stage) => {
    ({ proxy } = stage);
  });

  it('what is open goes on, what is lost is said once each, and all is well again afterwards', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const chat = async () => (await ask(session, CHAT, chatRequest('hi'))).status;
    assert.equal(await chat(), 200);
    await proxy.recorded(1);
    const plain = await RawConnection.open(proxy.port);
    const login = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
    const askPlain = () => plain.ask('GET http://new.example.com/ HTTP/1.1', 'Host: new.example.com', login);
    await ask(session, { ':path': '/take' });
    await proxy.said(/taken until EMFILE/);
    const since = proxy.output.length;
    // On connections that are there.
    for (let i = 0; i < 3; i++) assert.equal(await chat(), 200);
    await proxy.said(/cannot record: EMFILE/);
    // Where a connection to a server would be needed, there is a proper answer.
    const { status, text } = await askPlain();
    assert.equal(status, 502);
    assert.match(text, /\r\nx-insight-dump: EMFILE\r\n/);
    assert.match(text, /\r\n\r\ninsight-dump: The server could not be reached, or broke off\.\n$/);
    // New clients cannot be taken in.
    for (let i = 0; i < 5; i++) assert.notEqual((await curl(proxy, 'alice', `https://${API_HOST}/models`)).code, 0);
    const said = () => proxy.output.slice(since).match(/(?:❌|⚠️).*/g) ?? [];
    await ask(session, { ':path': '/give' });
    await eventually('it is served again', async () => {
      const { code } = await curl(proxy, 'alice', '-o', '/dev/null', `https://${API_HOST}/models`);
      return code === 0;
    });
    const before = proxy.records().size;
    assert.equal(await chat(), 200);
    await proxy.recorded(before + 1);
    assert.equal(new Set(said()).size, said().length, said().join('\n'));
    assert.equal((await askPlain()).status, 200);
    plain.socket.destroy();
    session.close();
  });
});
