import type { Answer, Client, Tunnel } from './addon.ts';
import type { Headers } from './headers.ts';

/** A client's wish to reach a host, as addons see it in `connect`; and what they made of it. */
export class TunnelRequest implements Tunnel {
  readonly kind: Tunnel['kind'];
  readonly client: Client;
  readonly host: string;
  readonly port: number;
  readonly headers: Headers;
  /** Set when it is denied. */
  answer: Answer | undefined;
  /** An addon has decided: what the configured hosts say no longer counts. */
  isDecided = false;
  serverName: string | undefined;
  readonly #proxyAuthorization: string | undefined;
  #decision: Tunnel['decision'];

  constructor(wish: Pick<Tunnel, 'kind' | 'client' | 'host' | 'port' | 'decision'> & { headers: Headers }) {
    this.kind = wish.kind;
    this.client = wish.client;
    this.host = wish.host;
    this.port = wish.port;
    this.headers = wish.headers;
    this.#decision = wish.decision;
    this.#proxyAuthorization = wish.headers.get('proxy-authorization');
    this.headers.delete('proxy-authorization');
  }

  /** Private underneath, so that no dump of a tunnel shows it. */
  get proxyAuthorization(): string | undefined {
    return this.#proxyAuthorization;
  }

  get decision(): Tunnel['decision'] {
    return this.#decision;
  }

  intercept(): void {
    this.#decide('intercept');
  }

  passthrough(): void {
    this.#decide('passthrough');
  }

  deny(status: number, answer: Omit<Answer, 'status'> = {}): void {
    this.#decide('deny');
    this.answer ??= { status, ...answer };
  }

  #decide(decision: Tunnel['decision']): void {
    if (this.#decision !== 'deny') this.#decision = decision;
    this.isDecided = true;
  }
}
