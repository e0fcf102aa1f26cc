/** A hop before a server, on which connections can be broken: below HTTP/2, Node itself would die of that. */
import { once } from 'node:events';
import net from 'node:net';
import type { Connection } from '../reset.ts';

export interface Hop {
  readonly port: number;
  /** Connections of clients that are open. */
  readonly sockets: ReadonlySet<net.Socket>;
  /** The connection of the client that the server knows by that port. */
  connectionOf(port: number | undefined): Connection | undefined;
  /** Ends all connections, which clients of HTTP/2 would keep for long. */
  hangUp(): void;
  close(): Promise<void>;
}

/** Passes on what comes, byte by byte, to a server on that port of this machine. */
export async function startHop(port: number): Promise<Hop> {
  const sockets = new Set<net.Socket>();
  const byPort = new Map<number | undefined, net.Socket>();
  const options = { allowHalfOpen: true, noDelay: true };
  const server = net.createServer(options, (socket) => {
    const onward = net.connect({ ...options, port, host: '127.0.0.1' });
    sockets.add(socket);
    socket.pipe(onward).pipe(socket);
    onward.once('connect', () => byPort.set(onward.localPort, socket));
    for (const [one, other] of [
      [socket, onward],
      [onward, socket],
    ] as const) {
      one.on('error', () => {}).once('close', () => other.destroy());
    }
    socket.once('close', () => {
      sockets.delete(socket);
      byPort.delete(onward.localPort);
    });
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    sockets,
    connectionOf(known) {
      const socket = byPort.get(known);
      return socket && { raw: socket, top: socket };
    },
    hangUp() {
      for (const socket of sockets) socket.unpipe().resume().end();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
