import assert from 'node:assert/strict';
import { once } from 'node:events';
import { describe, it } from 'node:test';
import tls from 'node:tls';
import { HOOK_NAMES } from '../../core/hooks.ts';
import { ask, askHttp1, connectTo, openSession, openTunnel } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { setStage } from '../stage.ts';
import { openWebSocket, WebSocketUpstream } from '../websockets.ts';

/** An addon that tells each of its hooks. */
const telling = (name: string) => `
  import { defineAddon } from 'insight-dump';
  const tell = (hook) => [hook, (...args) => args.find(({ log }) => log).log.info('${name} ' + hook)];
  export default defineAddon(Object.fromEntries(${JSON.stringify(HOOK_NAMES)}.map(tell)));
`;

const inTurn = (hooks: readonly string[]) => hooks.flatMap((hook) => [`first ${hook}`, `second ${hook}`]);

const ANSWERED = ['requestHeaders', 'request', 'responseHeaders', 'response'];
const WEB_SOCKET = ['websocketStart', 'websocketMessage', 'websocketEnd'];

describe('hooks, of one addon after the other', () => {
  let proxy: ProxyProcess;
  let fake: FakeCopilot;
  setStage(
    {
      config: `export default {
        addons: ['addons/auth.ts', 'first.ts', 'second.ts'], options: { auth: { users: ['alice'] } }, flowDetail: 0,
      };`,
      files: { 'first.ts': telling('first'), 'second.ts': telling('second') },
    },
    undefined,
    (stage) => {
      ({ proxy, fake } = stage);
    },
  );

  const toldSince = (since: number) =>
    [...proxy.output.slice(since).matchAll(/ ((?:first|second) \w+)\n/g)].map(([, what]) => what as string);
  const told = (count: number, since: number) =>
    eventually(
      () => `${count} hooks in\n${proxy.output.slice(since)}`,
      () => toldSince(since).length >= count && toldSince(since),
    );
  const become = async (expected: readonly string[], since: number) =>
    assert.deepEqual(await told(expected.length, since), expected);

  it('are called as the proxy starts', async () => {
    const loading = ['first load', 'first configure', 'second load', 'second configure'];
    await become([...loading, ...inTurn(['running'])], 0);
  });

  it('are called for a client that makes use of Copilot', async () => {
    const since = proxy.output.length;
    const tunnel = await openTunnel(proxy, 'alice', API_HOST);
    await askHttp1(tunnel, { ':method': 'POST', ':path': '/chat/completions' }, chatRequest('hello'));
    const hooks = ['clientConnected', 'connect', ...ANSWERED, 'exchange'];
    await become(inTurn(hooks), since);
    tunnel.destroy();
    await become(inTurn([...hooks, 'clientDisconnected']), since);
  });

  it('are called for an answer that breaks off', async () => {
    fake.plan = () => ({ breakAfter: 2, delayMs: 20 });
    const since = proxy.output.length;
    const session = await openSession(proxy, 'alice', API_HOST);
    await assert.rejects(ask(session, { ':method': 'POST', ':path': '/v1/engines/x/completions' }, '{}'));
    fake.plan = () => ({});
    const failed = ['requestHeaders', 'request', 'responseHeaders', 'error', 'exchange'];
    const hooks = ['clientConnected', 'connect', ...failed];
    await become(inTurn(hooks), since);
    session.destroy();
    await become(inTurn([...hooks, 'clientDisconnected']), since);
  });

  it('are called for a WebSocket', async () => {
    const server = new WebSocketUpstream(fake);
    const since = proxy.output.length;
    const client = await openWebSocket(proxy, '/socket');
    client.send('hello');
    await once(server.sockets[0] ?? assert.fail(), 'message');
    client.close();
    const hooks = ['clientConnected', 'connect', ...ANSWERED, ...WEB_SOCKET, 'clientDisconnected'];
    await become(inTurn(hooks), since);
  });

  it('are called for a client that refuses our certificate', async () => {
    const since = proxy.output.length;
    const socket = await connectTo(proxy, 'alice', `${API_HOST}:443`);
    await once(tls.connect({ socket, servername: API_HOST }), 'error');
    socket.destroy();
    // mockttp tells of it when it likes: the client may have gone before.
    const hooks = inTurn(['clientConnected', 'connect', 'clientDisconnected', 'tlsFailed']);
    const all = await told(hooks.length, since);
    assert.deepEqual(all.slice(0, 4), hooks.slice(0, 4));
    assert.deepEqual(all.slice(4).sort(), hooks.slice(4).sort());
  });

  it('are called as the proxy stops', async () => {
    const since = proxy.output.length;
    await proxy.stop({ keep: true });
    await become(inTurn(['done']), since);
  });
});
