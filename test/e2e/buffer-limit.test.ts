import assert from 'node:assert/strict';
import { once } from 'node:events';
import { after, before, describe, it } from 'node:test';
import { ask, askHttp1, openSession, openTunnel, requestHttp1 } from '../clients.ts';
import { leadingTo, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { configOf } from '../tagging.ts';
import { TELL } from '../telling.ts';

/** As the engine has it. */
const LIMIT_BYTES = 32 * 1024 * 1024;
const TOO_MUCH = Buffer.alloc(LIMIT_BYTES + 1, 'x');

const BUFFER = `
  export function requestHeaders(flow) { if (flow.request.path.startsWith('/hold-request')) flow.request.buffer(); }
  export function responseHeaders(flow) { if (flow.request.path.startsWith('/hold-response')) flow.response.buffer(); }
`;
const TOLD = 'insight-dump: The body is too large for the proxy.\n';

describe('a body that an addon holds back, and that is larger than it may be', () => {
  let upstream: OwnUpstream;
  let proxy: ProxyProcess;
  const seen: string[] = [];
  before(async () => {
    upstream = await startOwnUpstream(
      (request, response) => {
        seen.push(request.url ?? '');
        request.resume();
        response.on('error', () => {}).end(request.method === 'GET' ? TOO_MUCH : 'ok');
      },
      undefined,
      'h2',
    );
    const { args, files } = leadingTo(upstream);
    const config = configOf(`'buffer.ts', 'tell.ts'`);
    proxy = await ProxyProcess.start({ args, config, files: { ...files, 'buffer.ts': BUFFER, 'tell.ts': TELL } });
  });
  after(async () => {
    await proxy?.stop();
    await upstream?.close();
  });

  it('is a 502 where it is a response, over both versions', async () => {
    const tunnel = await openTunnel(proxy, 'alice', API_HOST);
    const session = await openSession(proxy, 'alice', API_HOST);
    for (const [path, asked] of [
      ['/hold-response-h1', (path: string) => askHttp1(tunnel, { ':path': path })],
      ['/hold-response-h2', (path: string) => ask(session, { ':path': path })],
    ] as const) {
      const { status, headers, body } = await asked(path);
      assert.deepEqual([status, headers['x-insight-dump'], body], [502, 'bodyTooLarge', TOLD]);
      await proxy.said(new RegExp(`flow ${path} error proxy bodyTooLarge`));
    }
    tunnel.destroy();
    session.destroy();
  });

  it('is a 413 where it is a request, over both versions, and the server sees nothing of it', async () => {
    const tunnel = await openTunnel(proxy, 'alice', API_HOST);
    const upload = requestHttp1(tunnel, { ':method': 'POST', ':path': '/hold-request-h1' });
    upload.on('error', () => {}).end(TOO_MUCH);
    const [answer] = await once(upload, 'response');
    let body = '';
    for await (const chunk of answer) body += chunk;
    assert.deepEqual([answer.statusCode, answer.headers['x-insight-dump'], body], [413, 'bodyTooLarge', TOLD]);
    await proxy.said(/flow \/hold-request-h1 error proxy bodyTooLarge/);
    tunnel.destroy();

    const session = await openSession(proxy, 'alice', API_HOST);
    const stream = session.request({ ':method': 'POST', ':path': '/hold-request-h2' });
    stream.on('error', () => {}).end(TOO_MUCH);
    const [head] = await once(stream, 'response');
    let text = '';
    for await (const chunk of stream) text += chunk;
    assert.deepEqual([head[':status'], head['x-insight-dump'], text], [413, 'bodyTooLarge', TOLD]);
    await proxy.said(/flow \/hold-request-h2 error proxy bodyTooLarge/);
    session.destroy();
    assert.ok(!seen.some((path) => path.startsWith('/hold-request')));
  });

  it('passes where nobody holds it back', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const { status, bytes } = await ask(session, { ':path': '/free' });
    assert.deepEqual([status, bytes.length], [200, TOO_MUCH.length]);
    session.destroy();
  });
});
