import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import type net from 'node:net';
import type { ClientConnection } from '../addon.ts';

/** A client's TCP connection, as addons see it. */
export class ClientSocket implements ClientConnection {
  readonly id = randomUUID();
  readonly address: string;
  readonly port: number;
  /** Whoever the last wish on it came from. */
  user: string | undefined;
  groups: readonly string[] = [];
  /** Answers that are on their way on it, or still to be made. */
  readonly answers = new Set<ServerResponse>();
  /** It is a tunnel, or about to be. */
  isTunnel = false;
  readonly #socket: net.Socket;

  constructor(socket: net.Socket) {
    this.#socket = socket;
    this.address = plainAddress(socket.remoteAddress ?? '');
    this.port = socket.remotePort ?? 0;
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** IPv4 as IPv4, also when it came in on an IPv6 socket. */
function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.)/i, '');
}
