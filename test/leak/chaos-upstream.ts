/** Servers that fail in the way that a request asks for. */
import { once } from 'node:events';
import type { RequestListener } from 'node:http';
import type { Http2ServerResponse, ServerHttp2Session } from 'node:http2';
import net from 'node:net';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { type Connection, reset } from '../reset.ts';
import { ANSWERS, FAULT_HEADER, type Http2Served, type Served, SIZE_HEADER, STALL_MS } from './chaos-faults.ts';

/** Serves all faults, over either version. `connectionOf` finds the client's by what a request has come on. */
export function faultyHandler(connectionOf: (top: net.Socket) => Connection | undefined): RequestListener {
  const paths = new Set<string>();
  return async (request, response) => {
    for (const stream of [request, response]) stream.on('error', () => {});
    const path = String(request.url);
    const isAgain = paths.has(path);
    paths.add(path);
    const connection = request.socket && connectionOf(request.socket);
    const size = Number(request.headers[SIZE_HEADER]);
    try {
      // Node dies of sessions that are ended in the middle of what they have received.
      await turn();
      await answer({ request, response, size, connection, isAgain });
    } catch {
      // The proxy has gone.
    }
    // As long as a request is not read, the end of its connection does not show.
    request.resume();
  };
}

function answer(served: Served): unknown {
  const fault = String(served.request.headers[FAULT_HEADER]);
  if (served.request.httpVersion !== '2.0') return ANSWERS.h1[fault]?.(served as Http2Served);
  const { stream } = served.response as unknown as Http2ServerResponse;
  return ANSWERS.h2[fault]?.({ ...served, stream, session: stream.session as ServerHttp2Session });
}

/** What the first byte tells a blind upstream to do. */
export const BLIND_FAULTS = ['echo', 'reset', 'stall', 'farewell'] as const;

/** Serves tunnels that are not looked into: what comes first is one of `BLIND_FAULTS` and a line feed. */
export async function startBlindUpstream(): Promise<{
  port: number;
  sockets: Set<net.Socket>;
  close(): Promise<void>;
}> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, async (socket) => {
    sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => sockets.delete(socket));
    socket.once('end', () => socket.end());
    const [first] = (await once(socket, 'data').catch(() => [''])) as [Buffer | ''];
    switch (first.toString().split('\n')[0]) {
      case 'echo':
        socket.write(first);
        return socket.pipe(socket);
      case 'reset':
        return reset({ raw: socket, top: socket });
      case 'farewell':
        socket.resume().end('farewell');
        return;
      default:
        await sleep(STALL_MS);
        socket.destroy();
    }
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    sockets,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
