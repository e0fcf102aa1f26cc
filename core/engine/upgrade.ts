import type { IncomingMessage } from 'node:http';
import type net from 'node:net';
import type { Target } from '../flow.ts';
import { type HeaderPair, Headers } from '../headers.ts';
import { joinSockets } from './blind-tunnel.ts';
import { answerOf, Cut } from './cut.ts';
import { endRaw, rawHead } from './raw-answer.ts';
import type { Upstream } from './upstream.ts';

/** A request for another protocol on the same connection (RFC 9110, section 7.8), such as WebSocket. */
export interface UpgradeRequest {
  readonly target: Target;
  readonly method: string;
  readonly path: string;
  readonly headers: readonly HeaderPair[];
}

/**
 * Asks the upstream for the upgrade, and joins both ends when it agrees. What is spoken then passes byte by byte. An
 * answer other than 101 is passed on as it is.
 */
export function relayUpgrade(request: UpgradeRequest, socket: net.Socket, head: Buffer, upstream: Upstream): void {
  const { target, method, path } = request;
  const headers = new Headers(request.headers);
  // `Connection` and `Upgrade` are what this is about; the rest that concerns the proxy alone stays here.
  headers.filter((name) => name !== 'proxy-authorization' && name !== 'proxy-connection');
  const refuse = (error: unknown) => endRaw(socket, answerOf(Cut.upstream(error)));
  try {
    const asked = upstream.request(target, method, path, headers.toFlat());
    socket.once('close', () => asked.destroy());
    asked.once('error', refuse);
    asked.once('upgrade', (answer, server, serverHead) => {
      asked.off('error', refuse);
      socket.write(rawHead(answer));
      if (serverHead.length > 0) socket.write(serverHead);
      if (head.length > 0) server.write(head);
      joinSockets(socket, server as net.Socket);
    });
    asked.once('response', (answer: IncomingMessage) => {
      socket.write(rawHead(answer));
      answer.pipe(socket);
      answer.once('error', () => socket.destroy());
    });
    asked.end();
  } catch (error) {
    refuse(error);
  }
}
