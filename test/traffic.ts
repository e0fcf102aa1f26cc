/** Steady traffic of a client, so that a test sees whether what it does to the proxy costs anybody a request. */
import type http2 from 'node:http2';
import { ask, type ClientAnswer, openSession } from './clients.ts';
import type { ProxyProcess } from './proxy-process.ts';
import { API_HOST } from './requests.ts';

/** Each so many requests come on a new connection. */
const REQUESTS_PER_CONNECTION = 25;

/** Sends requests at a pace of its own, whatever becomes of those before, and notes each that is not answered well. */
export class Traffic {
  readonly #proxy: ProxyProcess;
  readonly #user: string;
  readonly #began = performance.now();
  readonly #underWay = new Set<Promise<unknown>>();
  readonly #timer: NodeJS.Timeout;
  #session: Promise<http2.ClientHttp2Session>;
  sent = 0;
  /** What went wrong, a line each. */
  readonly failures: string[] = [];

  constructor(proxy: ProxyProcess, user: string, perSecond = 50) {
    this.#proxy = proxy;
    this.#user = user;
    this.#session = this.#open();
    this.#timer = setInterval(() => this.#send(), 1_000 / perSecond);
  }

  /** Sends one more request, and returns its answer. */
  ask(path = '/echo', body?: string): Promise<ClientAnswer> {
    const headers = { ':method': body === undefined ? 'GET' : 'POST', ':path': path };
    const answer = this.#session.then((session) => ask(session, headers, body));
    this.#underWay.add(answer);
    const ended = () => this.#underWay.delete(answer);
    answer.then(ended, ended);
    return answer;
  }

  /** What addons have written into `x-tag` of an answer. */
  async tag(): Promise<string> {
    return String((await this.ask()).headers['x-tag'] ?? '');
  }

  /** Requests a second so far. */
  get rate(): number {
    return this.sent / ((performance.now() - this.#began) / 1_000);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#closeOnceIdle(this.#session);
  }

  /** A request and the end of its session on one tick would overtake each other: Node sends the GOAWAY first. */
  async #closeOnceIdle(session: Promise<http2.ClientHttp2Session>): Promise<void> {
    await Promise.allSettled(this.#underWay);
    await session.then((opened) => opened.close()).catch(() => {});
  }

  #open(): Promise<http2.ClientHttp2Session> {
    const session = openSession(this.#proxy, this.#user, API_HOST);
    void session.then(
      (opened) => opened.on('error', (error) => this.failures.push(`connection: ${error.message}`)),
      () => {},
    );
    return session;
  }

  #send(): void {
    this.sent += 1;
    if (this.sent % REQUESTS_PER_CONNECTION === 0) {
      void this.#closeOnceIdle(this.#session);
      this.#session = this.#open();
    }
    this.#check().catch((error: Error) => void this.failures.push(error.message));
  }

  async #check(): Promise<void> {
    const { status, body } = await this.ask();
    if (status !== 200 || JSON.parse(body).url !== '/echo') this.failures.push(`${status} ${body.slice(0, 100)}`);
  }
}
