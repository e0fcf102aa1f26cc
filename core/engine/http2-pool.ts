import type { TLSSocket } from 'node:tls';
import { errors } from '../errors.ts';
import { Http2Connection, type Http2Limits } from './http2-connection.ts';
import type { Http2Request } from './http2-request.ts';
import type { RequestHead } from './upstream-request.ts';

/** How long a server is known to speak HTTP/1.1 only. */
const REMEMBER_HTTP1_MS = 10 * 60_000;
const MAX_REMEMBERED = 1_000;
/** While so many connections to a server refuse requests, no further one is tried. */
const MAX_REFUSING = 2;

/** Opens a connection by which a server is offered HTTP/2 and HTTP/1.1 (RFC 7301). */
export type Connect = () => Promise<TLSSocket>;

/** Connections to servers that speak HTTP/2. Each is shared by as many requests as its server takes at once. */
export class Http2Pool {
  readonly #limits: Http2Limits;
  readonly #connections = new Map<string, Set<Http2Connection>>();
  readonly #opening = new Map<string, Promise<Http2Connection | TLSSocket>>();
  readonly #http1UntilMs = new Map<string, number>();

  constructor(limits: Http2Limits) {
    this.#limits = limits;
  }

  /**
   * Opens a request, on a connection that is there or on a new one.
   *
   * @param server what tells connections apart that may not be shared
   * @param connection `fresh` for a request that was missed on another: one that is as good as new
   * @throws InsightError `serverRefuses`
   * @returns if it turns out that the server speaks HTTP/1.1: the connection that told, or undefined if that was known
   */
  async request(
    server: string,
    connect: Connect,
    head: RequestHead,
    connection: 'shared' | 'fresh',
  ): Promise<Http2Request | TLSSocket | undefined> {
    for (;;) {
      if (this.#speaksHttp1(server)) return undefined;
      const all = [...(this.#connections.get(server) ?? [])];
      const free = connection === 'shared' ? pick(all) : all.find(({ isGood, isFree }) => isGood && isFree);
      if (free !== undefined) return free.request(head);
      // Whoever waits looks again: there may be room on it, or not.
      const unknown = connection === 'shared' ? undefined : all.find(({ isKnown }) => !isKnown);
      const awaited = this.#opening.get(server) ?? unknown?.known;
      if (awaited !== undefined) await awaited;
      else if (connection === 'fresh' && all.filter(({ isRefusing }) => isRefusing).length >= MAX_REFUSING)
        throw errors.serverRefuses(MAX_REFUSING);
      else return requestOn(await this.#openShared(server, connect), head);
    }
  }

  close(): void {
    for (const connections of this.#connections.values()) for (const connection of connections) connection.destroy();
  }

  #openShared(server: string, connect: Connect): Promise<Http2Connection | TLSSocket> {
    const opening = this.#open(server, connect).finally(() => this.#opening.delete(server));
    this.#opening.set(server, opening);
    return opening;
  }

  async #open(server: string, connect: Connect): Promise<Http2Connection | TLSSocket> {
    const socket = await connect();
    if (socket.alpnProtocol !== 'h2') {
      if (this.#http1UntilMs.size >= MAX_REMEMBERED) this.#http1UntilMs.clear();
      this.#http1UntilMs.set(server, performance.now() + REMEMBER_HTTP1_MS);
      return socket;
    }
    const connections = this.#connections.get(server) ?? new Set();
    this.#connections.set(server, connections);
    const connection = new Http2Connection(socket, this.#limits, () => {
      connections.delete(connection);
      if (connections.size === 0 && this.#connections.get(server) === connections) this.#connections.delete(server);
    });
    connections.add(connection);
    return connection;
  }

  #speaksHttp1(server: string): boolean {
    return performance.now() < (this.#http1UntilMs.get(server) ?? 0);
  }
}

/** A connection that takes one more request; one that refuses them, only if there is no other. */
function pick(connections: readonly Http2Connection[]): Http2Connection | undefined {
  const free = connections.filter(({ isFree }) => isFree);
  return free.find(({ isRefusing }) => !isRefusing) ?? free[0];
}

function requestOn(opened: Http2Connection | TLSSocket, head: RequestHead): Http2Request | TLSSocket {
  return opened instanceof Http2Connection ? opened.request(head) : opened;
}
