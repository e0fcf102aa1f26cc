import assert from 'node:assert/strict';
import { once } from 'node:events';
import type http2 from 'node:http2';
import { describe, it } from 'node:test';
import type tls from 'node:tls';
import { ask, openSession, openTunnel } from '../clients.ts';
import type { ProxyProcess } from '../proxy-process.ts';
import { COMPLETIONS_PATH, chatRequest, completionRequest, PROXY_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

const USERS = ['alice', 'bob'] as const;
const REQUESTS_EACH_WAY = 250;

describe('two users behind one address', () => {
  let proxy: ProxyProcess;
  setStage({}, undefined, (stage) => {
    ({ proxy } = stage);
  });

  it('are never mixed up: 1,000 requests, interleaved, on h1 keep-alive and on h2', async () => {
    await Promise.all(
      USERS.flatMap((user) => [
        overH1(openTunnel(proxy, user, PROXY_HOST), user),
        overH2(openSession(proxy, user, PROXY_HOST), user),
      ]),
    );
    const records = await proxy.recorded(USERS.length * 2 * REQUESTS_EACH_WAY);
    assert.equal(records.length, 1_000);
    for (const { insight, request } of records) {
      assert.match(JSON.stringify(request.content), new RegExp(`by ${insight.user} `));
    }
    const day = await proxy.metrics((each) => each.total_completions_count + each.total_chat_turns === 1_000);
    for (const user of USERS) {
      assert.equal(day.usage[user]?.completions_count, REQUESTS_EACH_WAY);
      assert.equal(day.usage[user]?.chat_turns, REQUESTS_EACH_WAY);
    }
  });
});

/** One after the other on one connection. */
async function overH1(opening: Promise<tls.TLSSocket>, user: string): Promise<void> {
  const socket = await opening;
  let received = '';
  socket.setEncoding('latin1').on('data', (text: string) => {
    received += text;
  });
  for (let i = 0; i < REQUESTS_EACH_WAY; i++) {
    received = '';
    const body = completionRequest(`by ${user} over h1, ${i}`);
    socket.write(
      `POST ${COMPLETIONS_PATH} HTTP/1.1\r\nHost: ${PROXY_HOST}\r\nEditor-Version: vscode/1\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    while (!received.endsWith('\r\n0\r\n\r\n')) await once(socket, 'data');
    assert.match(received, /^HTTP\/1\.1 200 OK/);
  }
  socket.destroy();
}

/** Ten at a time on one connection. */
async function overH2(opening: Promise<http2.ClientHttp2Session>, user: string): Promise<void> {
  const session = await opening;
  const headers = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
  let next = 0;
  const worker = async () => {
    while (next < REQUESTS_EACH_WAY) {
      const { status } = await ask(session, headers, chatRequest(`by ${user} over h2, ${next++}`));
      assert.equal(status, 200);
    }
  };
  await Promise.all(Array.from({ length: 10 }, worker));
  session.close();
}
