/** Clients that break off in every way there is. */
import { type EventEmitter, once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import type { Duplex, Readable, Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import tls from 'node:tls';
import { basic } from '../clients.ts';
import { PREFACE } from '../http2-frames.ts';
import type { Random } from '../random.ts';
import { type Connection, reset } from '../reset.ts';
import { CONNECT_MOODS, MOOD_HEADER, MOODS, MOODY_ANSWER_HEADER } from './chaos-addons.ts';
import { canBeWhole, FAULT_HEADER, FAULTS, FRAMES_FAULT, SIZE_HEADER, type Version } from './chaos-faults.ts';
import { BLIND_FAULTS } from './chaos-upstream.ts';

/** Looked into. Its ports stand for ways in which servers fail before HTTP. */
export const CHAOS_HOST = 'chaos.example.com';
/** Not looked into. */
export const BLIND_HOST = 'blind.example.com';
/** Looked into, and the server's certificate is for others. */
export const WRONG_HOST = 'wrong.test';

export const PORTS = { secure: 8443, http2: 8444, frames: 8445, plain: 8080, refused: 9999, blind: 9443 } as const;

/** Where the servers of tunnels listen, by what their clients speak: more than once where that happens more often. */
const TUNNEL_PORTS = {
  http1: [...Array<number>(6).fill(PORTS.secure), ...Array<number>(2).fill(PORTS.http2), PORTS.frames],
  http2: [...Array<number>(3).fill(PORTS.secure), ...Array<number>(6).fill(PORTS.http2), PORTS.frames],
} as const;

/** Nothing may keep a client waiting for longer. */
const ANSWER_LIMIT_MS = 15_000;
/** For servers that answer a client that has said that it sends no more. */
const AFTER_FIN_MS = 300;
const UP_TO_BREAK_MS = 15;
const SLOW_PAUSE_MS = 5;

/** How a client ends a connection. */
const ENDS = ['reset', 'fin', 'close'] as const;
type End = (typeof ENDS)[number];

/** One request, and when its client breaks off. */
interface Wish {
  /** Names it in the books. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly uploadBytes: number;
  readonly downloadBytes: number;
  readonly breaks: 'never' | 'slow' | 'waiting' | 'uploading' | 'answered';
  readonly breakAfterMs: number;
  readonly end: End;
  /** RST_STREAM's code, where the client speaks HTTP/2 and breaks off one stream only. */
  readonly code: number | undefined;
}

export interface ClientsOptions {
  readonly port: number;
  /** `user:password`. */
  readonly login: readonly [user: string, password: string];
  /** PEM. */
  readonly ca: string;
}

/** Lives of clients, and the sums over all of them. */
export class ChaoticClients {
  readonly #options: ClientsOptions;
  readonly #secureContext: tls.SecureContext;
  readonly #hello: Promise<Buffer>;
  readonly #pending = new Set<Wish>();
  /** What has become of requests and tunnels, by kind. */
  readonly tally: Record<string, number> = {};
  /** What should never be, a line each. */
  readonly wrong: string[] = [];

  constructor(options: ClientsOptions) {
    this.#options = options;
    this.#secureContext = tls.createSecureContext({ ca: options.ca });
    this.#hello = clientHello();
  }

  /** Requests and tunnels so far. */
  get total(): number {
    return Object.values(this.tally).reduce((sum, count) => sum + count, 0);
  }

  /** One client's life, from its first connection to its last. */
  async live(life: number, random: Random): Promise<void> {
    const kinds = [
      'http1',
      'http1',
      'http1',
      'http2',
      'http2',
      'http2',
      'plain',
      'plain',
      'blind',
      'broken',
      'distrust',
    ];
    const kind = random.pick(kinds) as 'http1' | 'http2' | 'plain' | 'blind' | 'broken' | 'distrust';
    const raw = net.connect({ port: this.#options.port, host: '127.0.0.1', noDelay: true });
    raw.on('error', () => {});
    const lived = first(raw, 'connect', 'close').then(() => this[`_${kind}`](raw, life, random));
    const late = sleep(ANSWER_LIMIT_MS, 'late', { ref: false });
    if ((await Promise.race([lived, late])) === 'late') {
      const pending = [...this.#pending].filter(({ path }) => path.includes(`-${life}/`)).map(describe);
      this.wrong.push(`life ${life}, ${kind}: waited ${ANSWER_LIMIT_MS} ms in vain, ${pending}`);
    }
    raw.destroy();
  }

  // -------------------------------------------------------------------------------------------------- kinds of clients

  async _http1(raw: net.Socket, life: number, random: Random): Promise<void> {
    const port = random.pick(TUNNEL_PORTS.http1);
    const secure = await this.#tunnel(raw, random, ['http/1.1'], port);
    if (secure === undefined) return;
    await this.#requests(secure, life, random, '', port);
  }

  async _plain(raw: net.Socket, life: number, random: Random): Promise<void> {
    const port = random.chance(0.05) ? PORTS.refused : PORTS.plain;
    await this.#requests(raw, life, random, `http://${CHAOS_HOST}:${port}`, port);
  }

  async _http2(raw: net.Socket, life: number, random: Random): Promise<void> {
    const port = random.pick(TUNNEL_PORTS.http2);
    const secure = await this.#tunnel(raw, random, ['h2'], port);
    if (secure === undefined) return;
    const session = http2.connect(`https://${CHAOS_HOST}`, { createConnection: () => secure });
    session.on('error', () => {});
    const wishes = Array.from({ length: 3 + random.below(10) }, (_, i) =>
      wishOf(`/http2-${life}/${i}`, random, faultsOf(port, 'h2')),
    );
    const connection = { raw, top: secure };
    await Promise.all(wishes.map((wish) => this.#await(wish, this.#overHttp2(session, connection, wish))));
    session.destroy();
  }

  async _blind(raw: net.Socket, life: number, random: Random): Promise<void> {
    if ((await this.#connect(raw, `${BLIND_HOST}:${PORTS.blind}`)) !== 200) return this.#count('blind: denied');
    const fault = random.pick(BLIND_FAULTS);
    const sent = Buffer.from(`${fault}\n${'x'.repeat(random.below(200_000))}`);
    const received = textOf(raw);
    raw.write(sent);
    const end = random.pick(ENDS);
    const breaks = end !== 'fin' && random.chance(0.7);
    if (breaks) {
      await sleep(random.below(UP_TO_BREAK_MS));
      breakOff({ raw, top: raw }, end);
    } else raw.end();
    const text = await received;
    const isWhole = text === (fault === 'echo' ? sent.toString() : 'farewell');
    // What was asked for must come, and all of it, though the client has said that it sends no more.
    if (!breaks && !isWhole && (fault === 'echo' || fault === 'farewell')) {
      this.wrong.push(`life ${life}, blind ${fault}: ${text.length} bytes of ${sent.length}`);
    }
    this.#count(`blind: ${breaks ? 'broken off' : fault}`);
  }

  /** What is half, or no HTTP at all, at each place where HTTP or TLS is expected. */
  async _broken(raw: net.Socket, life: number, random: Random): Promise<void> {
    raw.resume();
    const junk = Buffer.from(Array.from({ length: 1 + random.below(300) }, () => random.below(256)));
    const hello = await this.#hello;
    const get = `GET /broken-${life} HTTP/1.1\r\nHost: ${CHAOS_HOST}\r\nX-`;
    const first = [
      ...['', 'CONNECT', `CONNECT ${CHAOS_HOST}:${PORTS.secure} HTTP/1.1\r\nHost`, 'CONNECT :: HTTP/1.1\r\n\r\n'],
      ...[
        `GET http://${CHAOS_HOST}:${PORTS.plain}/broken-${life} HTTP/1.1\r\nX-`,
        'GET / HTTP/1.1\r\n\r\n',
        junk,
        hello,
      ],
      ...[`CONNECT ${CHAOS_HOST}:${PORTS.secure} HTTP/1.1\r\nHost: x\r\n\r\n`],
    ];
    const inTunnel = [
      '',
      junk,
      hello,
      hello.subarray(0, 1 + random.below(hello.length)),
      get,
      PREFACE,
      `${get}: 1\r\n\r\n`,
    ];
    const inTls = ['', junk, get, PREFACE];
    const depth = random.below(3);
    let top: Duplex = raw;
    if (depth === 0) raw.write(random.pick(first));
    else if (depth === 1) {
      if ((await this.#connect(raw, `${CHAOS_HOST}:${PORTS.secure}`)) === 200) raw.write(random.pick(inTunnel));
    } else {
      const secure = await this.#tunnel(raw, random, [random.pick(['h2', 'http/1.1'])], PORTS.http2);
      if (secure !== undefined) {
        top = secure;
        secure.resume().write(random.pick(inTls));
      }
    }
    await sleep(random.below(UP_TO_BREAK_MS));
    breakOff({ raw, top }, random.pick(ENDS));
    await sleep(random.below(UP_TO_BREAK_MS));
    this.#count(`broken: ${['before', 'in', 'in TLS in'][depth]} the tunnel`);
  }

  /** Does not trust our CA, and says so, or just goes. */
  async _distrust(raw: net.Socket, _life: number, random: Random): Promise<void> {
    if ((await this.#connect(raw, `${CHAOS_HOST}:${PORTS.secure}`)) !== 200) return this.#count('distrust: denied');
    if (random.chance(0.5)) {
      raw.write(await this.#hello);
      await first(raw, 'data', 'close');
      raw.end(ALERT_UNKNOWN_CA);
      await Promise.race([first(raw.resume(), 'close'), sleep(AFTER_FIN_MS)]);
      return this.#count('distrust: alert');
    }
    const secure = tls.connect({ socket: raw, servername: CHAOS_HOST });
    secure.on('error', () => {});
    await first(secure, 'close');
    this.#count('distrust: closed');
  }

  // ----------------------------------------------------------------------------------------------------------- requests

  /** Requests on one connection, one after the other, while it lasts. */
  async #requests(top: Duplex, life: number, random: Random, origin: string, port: number): Promise<void> {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    // It is the only connection that there will be.
    agent.createConnection = () => top as net.Socket;
    const raw = top instanceof tls.TLSSocket ? rawOf(top) : (top as net.Socket);
    const kind = origin === '' ? 'http1' : 'plain';
    const count = 1 + random.below(5);
    for (let i = 0; i < count && !raw.destroyed && !top.destroyed && top.writable && !top.readableEnded; i++) {
      const wish = wishOf(`/${kind}-${life}/${i}`, random, faultsOf(port, 'h1'));
      const headers = { ...wish.headers, host: CHAOS_HOST, ...(origin !== '' && this.#authorization()) };
      const method = wish.uploadBytes > 0 ? 'POST' : 'GET';
      const request = http.request({ agent, method, path: `${origin}${wish.path}`, headers });
      await this.#await(wish, this.#overHttp1(request, { raw, top }, wish));
    }
    agent.destroy();
  }

  async #await(wish: Wish, done: Promise<void>): Promise<void> {
    this.#pending.add(wish);
    await done;
    this.#pending.delete(wish);
  }

  #overHttp1(request: http.ClientRequest, connection: Connection, wish: Wish): Promise<void> {
    return new Promise((resolve) => {
      const cut = () => {
        this.#count(`${kindOf(wish)}: cut`);
        resolve();
      };
      const breakIt = () => breakOff(connection, wish.end);
      request.on('error', () => {}).once('close', cut);
      // A request that was made just as its connection broke is told nothing. Once its answer has begun, it is; and what
      // is here of that, but not read yet, would be lost without a word.
      const giveUp = () => request.destroy();
      connection.raw.once('close', giveUp);
      request.once('response', (response) => {
        connection.raw.off('close', giveUp);
        response.on('error', () => {});
        this.#read(response, wish, breakIt, (bytes) => {
          if (!response.complete) return;
          request.off('close', cut);
          this.#check(wish, response.statusCode, MOODY_ANSWER_HEADER in response.headers, bytes);
          // A server may answer before it has read the request, which is no reason to leave it half sent.
          if (!request.writableFinished) connection.raw.destroy();
          resolve();
        });
      });
      write(request, wish, breakIt);
    });
  }

  #overHttp2(session: http2.ClientHttp2Session, connection: Connection, wish: Wish): Promise<void> {
    return new Promise((resolve) => {
      if (session.destroyed || session.closed) return resolve();
      const method = wish.uploadBytes > 0 ? 'POST' : 'GET';
      const head = { ...wish.headers, ':method': method, ':path': wish.path };
      const stream = session.request(head, { endStream: wish.uploadBytes === 0 });
      let broken = false;
      const breakIt = () => {
        broken = true;
        if (wish.code === undefined) breakOff(connection, wish.end);
        // With code 0, Node's client waits until all that was written has been taken.
        else stream.close(stream.writableFinished ? wish.code : http2.constants.NGHTTP2_CANCEL);
      };
      let answer: http2.IncomingHttpHeaders & http2.IncomingHttpStatusHeader = {};
      let bytes: number | undefined;
      stream.on('error', () => {});
      stream.once('response', (headers) => {
        answer = headers;
      });
      let early = false;
      this.#read(stream, wish, breakIt, (count) => {
        bytes = count;
        // Node tells of an end where there was a reset, too.
        early = !stream.writableFinished && !stream.closed;
        // A server may answer before it has read the request, and never read the rest.
        if (early) stream.close(http2.constants.NGHTTP2_CANCEL);
        // Told so, by a reset without an error, Node's client waits all the same for the rest to be taken.
        else if (!stream.writableFinished) stream.destroy();
      });
      stream.once('close', () => {
        const ended = bytes !== undefined && (early || stream.rstCode === http2.constants.NGHTTP2_NO_ERROR);
        const whole = ended && answer[':status'];
        // What the client itself has reset looks like a proper end to it.
        if (whole && !broken) this.#check(wish, whole, MOODY_ANSWER_HEADER in answer, bytes as number);
        else this.#count('http2: cut');
        resolve();
      });
      write(stream, wish, breakIt);
    });
  }

  /** Reads an answer as the wish says, and calls back with its length when it has ended properly. */
  #read(answer: Readable, wish: Wish, breakIt: () => void, ended: (bytes: number) => void): void {
    let bytes = 0;
    answer.on('data', (chunk: Buffer) => {
      if (bytes === 0 && wish.breaks === 'answered') breakIt();
      bytes += chunk.length;
      if (wish.breaks !== 'slow') return;
      answer.pause();
      setTimeout(() => answer.resume(), SLOW_PAUSE_MS);
    });
    answer.once('end', () => ended(bytes));
  }

  /** An answer that came to a proper end has to be the proxy's own, or a whole one. */
  #check(wish: Wish, status: number | undefined, moody: boolean, bytes: number): void {
    const fault = wish.headers[FAULT_HEADER] as string;
    this.#count(`${kindOf(wish)}: ${moody ? 'moody' : status}`);
    if (status !== 200 || moody) return;
    if (!canBeWhole(fault)) this.wrong.push(`${describe(wish)}: a clean end after ${bytes} bytes`);
    else if (bytes !== wish.downloadBytes) this.wrong.push(`${describe(wish)}: ${bytes} bytes`);
  }

  // ------------------------------------------------------------------------------------------------------------ tunnels

  /** TLS in a tunnel; undefined when it was not to be. */
  async #tunnel(raw: net.Socket, random: Random, alpn: string[], port: number): Promise<tls.TLSSocket | undefined> {
    const target = random.chance(0.9)
      ? `${CHAOS_HOST}:${port}`
      : random.pick([`${CHAOS_HOST}:${PORTS.refused}`, `${WRONG_HOST}:${port}`]);
    const mood = random.chance(0.1) ? random.pick(CONNECT_MOODS) : undefined;
    const status = await this.#connect(raw, target, mood);
    if (status !== 200) {
      this.#count(`tunnel: ${status}`);
      return undefined;
    }
    const [servername] = target.split(':') as [string];
    const secure = tls.connect({ socket: raw, servername, secureContext: this.#secureContext, ALPNProtocols: alpn });
    secure.on('error', () => {});
    below.set(secure, raw);
    await first(secure, 'secureConnect', 'close');
    return secure.destroyed ? undefined : secure;
  }

  /** Asks for a tunnel; returns the answer's status. */
  async #connect(raw: net.Socket, target: string, mood?: string): Promise<number> {
    const { 'proxy-authorization': login } = this.#authorization();
    const moodLine = mood === undefined ? '' : `${MOOD_HEADER}: ${mood}\r\n`;
    raw.write(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\nProxy-Authorization: ${login}\r\n${moodLine}\r\n`);
    const head = await first(raw, 'data', 'close');
    return Number(/^HTTP\/1\.1 (\d+)/.exec(String(head))?.[1] ?? 0);
  }

  #authorization() {
    return { 'proxy-authorization': basic(...this.#options.login) };
  }

  #count(what: string): void {
    this.tally[what] = (this.tally[what] ?? 0) + 1;
  }
}

/** The connections below those of TLS. */
const below = new WeakMap<Duplex, net.Socket>();

function rawOf(secure: tls.TLSSocket): net.Socket {
  return below.get(secure) as net.Socket;
}

/** Not at once: Node dies of a connection that is broken in the middle of what HTTP/2 has received on it. */
function breakOff(connection: Connection, end: End): void {
  const { raw, top } = connection;
  setImmediate(() => {
    if (end === 'reset') reset(connection);
    else if (end === 'close') raw.destroy();
    else {
      top.end();
      setTimeout(() => raw.destroy(), AFTER_FIN_MS);
    }
  });
}

/** Sends a request's body as the wish says. */
function write(request: Writable, { uploadBytes, breaks, breakAfterMs }: Wish, breakIt: () => void): void {
  const half = Buffer.alloc(Math.ceil(uploadBytes / 2), 'u');
  if (breaks === 'waiting' || breaks === 'uploading') setTimeout(breakIt, breakAfterMs);
  if (uploadBytes === 0) {
    if (!request.writableEnded) request.end();
    return;
  }
  request.write(half);
  if (breaks === 'uploading') return;
  request.end(half.subarray(0, uploadBytes - half.length));
}

/** How a server may answer there; `spoken` is what the client speaks, and the server too if it can. */
function faultsOf(port: number, spoken: Version): readonly string[] {
  if (port === PORTS.frames) return [FRAMES_FAULT];
  return FAULTS[port === PORTS.http2 ? spoken : 'h1'];
}

function wishOf(path: string, random: Random, faults: readonly string[]): Wish {
  const uploadBytes = random.chance(0.4) ? 1 + random.below(random.chance(0.2) ? 500_000 : 2_000) : 0;
  const downloadBytes = random.below(random.chance(0.2) ? 1_000_000 : 4_000);
  const breaks = random.chance(0.6) ? 'never' : random.pick(['slow', 'waiting', 'uploading', 'answered'] as const);
  return {
    path,
    headers: {
      [FAULT_HEADER]: random.chance(0.5) && faults.includes('whole') ? 'whole' : random.pick(faults),
      [SIZE_HEADER]: String(downloadBytes),
      ...(random.chance(0.4) && { [MOOD_HEADER]: random.pick(MOODS) }),
    },
    // A body that is never sent to its end has to have one.
    uploadBytes: breaks === 'uploading' ? Math.max(uploadBytes, 2) : uploadBytes,
    downloadBytes,
    breaks,
    breakAfterMs: random.below(UP_TO_BREAK_MS),
    end: random.pick(ENDS),
    code: random.chance(0.8) ? random.pick([0, 8]) : undefined,
  };
}

function kindOf({ path }: Wish): string {
  return path.slice(1, path.indexOf('-'));
}

function describe({ path, headers, uploadBytes, downloadBytes, breaks }: Wish): string {
  return JSON.stringify({ path, ...headers, uploadBytes, downloadBytes, breaks });
}

/** Waits for the first of some events; an error is for the `close` that follows it. Returns what it came with. */
function first(emitter: EventEmitter, ...events: readonly string[]): Promise<unknown> {
  return new Promise((resolve) => {
    const seen = (value: unknown) => {
      for (const event of events) emitter.off(event, seen);
      resolve(value);
    };
    for (const event of events) emitter.on(event, seen);
  });
}

/** All that comes until the connection is closed. */
function textOf(socket: net.Socket): Promise<string> {
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  return new Promise((resolve) => socket.once('close', () => resolve(Buffer.concat(chunks).toString())));
}

/** A fatal alert of TLS, `unknown_ca` (RFC 5246, section 7.2), in the clear, as in a handshake. */
const ALERT_UNKNOWN_CA = Buffer.from([21, 3, 3, 0, 2, 2, 48]);

/** The first message of a TLS 1.2 handshake. */
async function clientHello(): Promise<Buffer> {
  const server = net.createServer();
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as net.AddressInfo;
  const client = tls.connect({ port, host: '127.0.0.1', servername: CHAOS_HOST, maxVersion: 'TLSv1.2' });
  client.on('error', () => {});
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const [hello] = (await once(socket, 'data')) as [Buffer];
  client.destroy();
  socket.destroy();
  server.close();
  return hello;
}
