/** WebSockets through the proxy, for tests: both ends of them, and an addon that does as it is told. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import type net from 'node:net';
import type tls from 'node:tls';
import { WebSocket, WebSocketServer } from 'ws';
import { openTunnel } from './clients.ts';
import type { FakeCopilot } from './fake-copilot.ts';
import type { ProxyProcess } from './proxy-process.ts';
import { API_HOST } from './requests.ts';

/** Does what the request's path says, and tells each hook on the log as `<path> <hook>`. */
export const ACTS = `
  import { setTimeout as sleep } from 'node:timers/promises';
  import { defineAddon } from 'insight-dump';

  const acts: Record<string, Record<string, (flow: any, more: any) => unknown>> = {
    '/edit': { websocketMessage: (_flow, message) => { message.text = message.from + ' said ' + message.text; } },
    '/edit-binary': { websocketMessage: (_flow, message) => { message.content = message.content.toReversed(); } },
    '/drop': { websocketMessage: (_flow, message) => { if (message.text === 'secret') message.drop(); } },
    '/async': { websocketMessage: (_flow, message) => sleep(message.text.endsWith('0') ? 20 : 1) },
    '/slow': { websocketMessage: () => sleep(100) },
    '/stuck': { websocketMessage: () => sleep(2_500) },
    '/throw': { websocketMessage: () => { throw new Error('oh no'); } },
    '/kill': { websocketMessage: (flow) => flow.kill() },
    '/nonsense': { websocketMessage: (_flow, message) => { message.content = 'text' as any; } },
    '/less': { responseHeaders: (flow) => flow.response.headers.delete('sec-websocket-extensions') },
    '/respond': { requestHeaders: (flow) => flow.respond({ status: 418, body: 'teapot' }) },
    '/respond-late': { responseHeaders: (flow) => flow.respond({ status: 403, body: 'no' }) },
    '/status': { responseHeaders: (flow) => { flow.response.status = 403; } },
    '/kill-request': { requestHeaders: (flow) => flow.kill() },
    '/kill-response': { responseHeaders: (flow) => flow.kill() },
    '/elsewhere': { requestHeaders: (flow) => { flow.request.url = 'https://api.enterprise.githubcopilot.com/there'; } },
    '/headers': {
      requestHeaders: (flow) => flow.request.headers.set('x-set', 'by addon'),
      responseHeaders: (flow) => flow.response.headers.set('x-answer', 'by addon'),
    },
  };
  const hook = (name: string) => (flow: any, ...more: any[]) => {
    const ctx = more.at(-1);
    const end = flow.error && name === 'error' ? ' by ' + flow.error.by + ' ' + flow.error.code : '';
    const close = name === 'websocketEnd' ? ' by ' + more[0].by + ' ' + more[0].code + ' "' + more[0].reason + '"' : '';
    const message = name === 'websocketMessage' ? ' from ' + more[0].from + (more[0].isText ? ' text ' : ' binary ') + more[0].content.length : '';
    ctx.log.info(flow.request.path + ' ' + name + end + close + message);
    return acts[flow.request.path]?.[name]?.(flow, more[0]);
  };
  const names = ['requestHeaders', 'request', 'responseHeaders', 'response', 'error', 'websocketStart', 'websocketMessage', 'websocketEnd'];
  export default defineAddon(Object.fromEntries(names.map((name) => [name, hook(name)])));
`;

export const config = (addon: string | object, more: object = {}) =>
  `export default ${JSON.stringify({ addons: ['addons/auth.ts', addon], options: { auth: { users: ['alice'] } }, flowDetail: 0, ...more })};`;

/** The connection that a client made. */
export function socketOf(webSocket: WebSocket): tls.TLSSocket {
  return (webSocket as unknown as { _socket: tls.TLSSocket })._socket;
}

/** Of a TLS connection, only the socket below can be reset. */
export function resetBelowTls(webSocket: WebSocket): void {
  (socketOf(webSocket) as unknown as { _parent: net.Socket })._parent.resetAndDestroy();
}

/** A WebSocket server in the place of the fake's upgrades, and what comes to it. */
export class WebSocketUpstream {
  readonly #server = new WebSocketServer({ noServer: true, perMessageDeflate: true, maxPayload: 0 });
  readonly requests: IncomingMessage[] = [];
  readonly sockets: WebSocket[] = [];

  constructor(fake: FakeCopilot) {
    fake.upgrade = (request, socket, head) => {
      this.requests.push(request);
      this.#server.handleUpgrade(request, socket, head, (webSocket) => {
        webSocket.on('error', () => {});
        this.sockets.push(webSocket);
      });
    };
  }
}

export async function openWebSocket(
  proxy: ProxyProcess,
  path: string,
  options: { perMessageDeflate?: boolean } = {},
): Promise<WebSocket> {
  const socket = await openTunnel(proxy, 'alice', API_HOST);
  const webSocket = new WebSocket(`wss://${API_HOST}${path}`, {
    createConnection: () => socket,
    maxPayload: 0,
    ...options,
  });
  webSocket.on('error', () => {});
  await once(webSocket, 'open');
  return webSocket;
}

/** All messages from now on, as text. */
export function messagesOf(webSocket: WebSocket): string[] {
  const messages: string[] = [];
  webSocket.on('message', (content: Buffer, isBinary: boolean) => messages.push((isBinary ? 'binary ' : '') + content));
  return messages;
}

export async function closing(webSocket: WebSocket): Promise<[code: number, reason: string]> {
  const [code, reason] = (await once(webSocket, 'close')) as [number, Buffer];
  return [code, reason.toString()];
}
