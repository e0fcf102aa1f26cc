import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import type tls from 'node:tls';
import { CONNECT_TIMEOUT_MS, type Dialer, limitConnectTime } from './dialer.ts';
import { openThrough } from './parent-proxy.ts';

/** What Node hands to an agent for a connection: among much else, where it goes to. */
interface ConnectionOptions {
  readonly host: string;
  readonly port: number;
  /** The host as it was asked for, if it may have to be reached through the parent proxy. */
  readonly wanted?: string;
  /** It is here already. */
  readonly ready?: tls.TLSSocket | undefined;
}

/** An agent's `timeout` is for connections that are idle; Node would count it while they are being opened, too. */
const PATIENT = { timeout: undefined };

type Connected = (error: Error | null, socket: Duplex) => void;

/** Keeps connections of plain HTTP, made through the parent proxy where there is one for the host. */
export class HttpAgent extends http.Agent {
  readonly #dialer: Dialer;

  constructor(dialer: Dialer, options?: http.AgentOptions) {
    super(options);
    this.#dialer = dialer;
  }

  override createConnection(options: object, connected?: Connected): Duplex | null | undefined {
    const opening = openByParent(this.#dialer, options as ConnectionOptions);
    if (opening === undefined) return super.createConnection({ ...options, ...PATIENT }, connected);
    hand(opening, connected);
    return undefined;
  }
}

/** The same with TLS. */
export class HttpsAgent extends https.Agent {
  readonly #dialer: Dialer;

  constructor(dialer: Dialer, options?: https.AgentOptions) {
    super(options);
    this.#dialer = dialer;
  }

  /** What tells connections apart; Node would make a name of two dozen options, in which all are alike. */
  override getName({ host, port, servername, rejectUnauthorized }: https.RequestOptions = {}): string {
    return `${host}:${port}:${servername}:${rejectUnauthorized}`;
  }

  override createConnection(options: object, connected?: Connected): Duplex | null | undefined {
    const { host, port, ready } = options as ConnectionOptions;
    if (ready !== undefined) return ready;
    const opening = openByParent(this.#dialer, options as ConnectionOptions);
    const secure = (more: object) => super.createConnection({ ...options, ...PATIENT, ...more }) as net.Socket;
    if (opening === undefined) return secure({});
    const securing = opening.then((socket) => {
      const secured = secure({ socket });
      limitConnectTime(secured, { host, port }, 'secureConnect');
      return secured;
    });
    hand(securing, connected);
    return undefined;
  }
}

function hand(opening: Promise<net.Socket>, connected: Connected | undefined): void {
  opening.then(
    (socket) => connected?.(null, socket),
    (error) => connected?.(error, undefined as never),
  );
}

function openByParent(dialer: Dialer, { wanted, host, port }: ConnectionOptions): Promise<net.Socket> | undefined {
  const parent = wanted === undefined ? undefined : dialer.parentFor(wanted);
  return parent && openThrough(parent, { host, port: Number(port) }, CONNECT_TIMEOUT_MS);
}
