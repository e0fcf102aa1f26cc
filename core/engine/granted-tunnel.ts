import type { Buffer } from 'node:buffer';
import type net from 'node:net';
import type { Log } from '../addon.ts';
import { messageOf } from '../errors.ts';
import type { TunnelRequest } from '../tunnel.ts';
import type { Authority } from './authority.ts';
import { joinSockets } from './blind-tunnel.ts';
import { answerOf, Cut } from './cut.ts';
import type { Dialer } from './dialer.ts';
import { type FirstBytes, readFirstBytes } from './first-bytes.ts';
import type { HostVerdict } from './hosts.ts';
import { endRaw } from './raw-answer.ts';

/** What a tunnel leaves to others. */
export interface TunnelHandlers {
  /** By the configured hosts. These are the names that its client has for one host. */
  judge(names: readonly Authority[]): HostVerdict;
  /** It is to be looked into. What has been read from its socket has been put back. */
  intercept(): void;
}

/**
 * A CONNECT that has been granted. Unless an addon has decided, the server name in its TLS counts as much as the host
 * that it asked for. Whatever that name, it is the host that is connected to.
 */
export class GrantedTunnel {
  readonly #socket: net.Socket;
  readonly #tunnel: TunnelRequest;
  readonly #dialer: Dialer;
  readonly #handlers: TunnelHandlers;
  readonly #log: Log;

  constructor(socket: net.Socket, tunnel: TunnelRequest, dialer: Dialer, handlers: TunnelHandlers, log: Log) {
    this.#socket = socket;
    this.#tunnel = tunnel;
    this.#dialer = dialer;
    this.#handlers = handlers;
    this.#log = log;
  }

  /**
   * Resolves when it is on its way. Never rejects.
   *
   * @param head what the client has sent after its CONNECT
   */
  async open(head: Buffer): Promise<void> {
    if (this.#tunnel.decision === 'intercept') await this.#openInside(head);
    else await this.#openBlind(head);
  }

  /** To be looked into, unless its server name is ignored: no server is contacted before that is clear. */
  async #openInside(head: Buffer): Promise<void> {
    this.#socket.write(ESTABLISHED);
    const { bytes, kind } = await this.#readFirst(head);
    if (kind === 'unfinished') this.#socket.destroy();
    else if (this.#isInside()) this.#intercept(bytes);
    else {
      const server = await this.#dial(() => this.#socket.destroy());
      if (server !== undefined) joinSockets(this.#socket, server, bytes);
    }
  }

  /**
   * To be relayed, unless its server name is allowed. The server is connected to before the client is told that it is,
   * and may be the first to speak, as those of SSH and SMTP are.
   */
  async #openBlind(head: Buffer): Promise<void> {
    const server = await this.#dial((error) => endRaw(this.#socket, answerOf(Cut.upstream(error))));
    if (server === undefined) return;
    this.#socket.write(ESTABLISHED);
    if (!this.#dependsOnServerName()) {
      joinSockets(this.#socket, server, head);
      return;
    }
    const { bytes } = await this.#readFirst(head, server);
    if (this.#isInside()) {
      server.destroy();
      this.#intercept(bytes);
    } else joinSockets(this.#socket, server, bytes);
  }

  #dependsOnServerName(): boolean {
    return !this.#tunnel.isDecided && this.#handlers.judge([this.#tunnel]) !== 'ignored';
  }

  async #readFirst(head: Buffer, server?: net.Socket): Promise<FirstBytes> {
    const first = await readFirstBytes(this.#socket, head, server);
    this.#tunnel.serverName = first.serverName;
    return first;
  }

  #isInside(): boolean {
    const { port, serverName, decision, isDecided } = this.#tunnel;
    if (isDecided || serverName === undefined) return decision === 'intercept';
    return this.#handlers.judge([this.#tunnel, { host: serverName, port }]) === 'allowed';
  }

  #intercept(bytes: Buffer): void {
    if (this.#socket.readableEnded) this.#socket.destroy();
    if (this.#socket.destroyed) return;
    this.#socket.unshift(bytes);
    this.#handlers.intercept();
  }

  /** Connects to the host that was asked for. Undefined when that failed, or the client has left. */
  async #dial(failed: (error: unknown) => void): Promise<net.Socket | undefined> {
    const { host, port } = this.#tunnel;
    try {
      const server = await this.#dialer.connect({ host, port });
      server.on('error', () => {});
      if (!this.#socket.destroyed) return server;
      server.destroy();
    } catch (error) {
      this.#log.debug(`${host}:${port} could not be reached: ${messageOf(error)}`);
      failed(error);
    }
    return undefined;
  }
}

const ESTABLISHED = 'HTTP/1.1 200 Connection Established\r\n\r\n';
