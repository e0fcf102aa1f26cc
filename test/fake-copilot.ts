/**
 * A stand-in for GitHub Copilot's servers, for tests and the demo: HTTPS over HTTP/1.1 and HTTP/2, and plain HTTP. It
 * answers in the shapes of the real ones, and keeps a log of what it has seen.
 */
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import type net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import zlib from 'node:zlib';
import { makeCertificate } from './certificates.ts';
import { messageEvents, messageOf } from './fake-copilot-messages.ts';
import { responseEvents, responseOf, type Said, type SaidCall } from './fake-copilot-responses.ts';

/** How to answer a request; each has a default. */
export interface Plan {
  /** Pieces of text of each choice. */
  readonly pieces: readonly string[];
  /** Calls of tools, of responses and messages. */
  readonly calls: readonly SaidCall[];
  /** Between one event and the next. */
  readonly delayMs: number;
  readonly contentType: string;
  readonly status: number;
  /** Reset the connection after so many events; before the head, if that is less than none. */
  readonly breakAfter: number;
  /** Before the head. */
  readonly silentMs: number;
  readonly encoding: 'identity' | 'gzip' | 'br';
  /** Send this instead of an answer in Copilot's shape. */
  readonly body: string | Buffer;
}

/** A request that has arrived. */
export interface Seen {
  readonly httpVersion: string;
  readonly method: string;
  readonly host: string;
  readonly path: string;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly rawHeaders: readonly string[];
  body: Buffer;
  /** When each event was sent, on the clock of `Date.now()`. */
  readonly sentAt: number[];
  /** How it ended; undefined while it goes on. */
  end: 'finished' | 'cancelled' | 'broken' | undefined;
}

export interface FakeCopilot {
  /** HTTPS. */
  readonly port: number;
  readonly plainPort: number;
  /** PEM of the CA that signed its certificate. */
  readonly ca: string;
  /** TCP connections so far. */
  readonly connections: number;
  readonly requests: readonly Seen[];
  /** Decides how requests are answered from now on. */
  plan: (seen: Seen) => Partial<Plan>;
  /** Answers upgrades from now on; at first they are agreed to, and bytes are sent back. */
  upgrade: (request: IncomingMessage, socket: net.Socket, head: Buffer) => void;
  close(): Promise<void>;
}

/** Text as it comes from models: spaces, backslashes, quotes, CJK and emoji, in pieces that mean nothing. */
export const SAMPLE_PIECES = ['return  x +', ' y', '\n\t# 你好, "C:\\', 'temp\\new" ', '👩‍💻 ok', '\\n\\\\'];

/** Hosts of Copilot, and some that are none of its business. */
export const FAKE_HOSTS = [
  'localhost',
  '127.0.0.1',
  'api.github.com',
  '*.githubcopilot.com',
  '*.individual.githubcopilot.com',
  '*.enterprise.githubcopilot.com',
  'copilot-proxy.githubusercontent.com',
  'copilot-telemetry.githubusercontent.com',
  'example.com',
  '*.example.com',
];

export async function startFakeCopilot(plan: FakeCopilot['plan'] = () => ({})): Promise<FakeCopilot> {
  const { key, cert, ca } = await makeCertificate(FAKE_HOSTS);
  const requests: Seen[] = [];
  const sockets = new Set<net.Socket>();
  let connections = 0;

  const onRequest = (request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse) => {
    void answer(request as IncomingMessage, response as ServerResponse, fake);
  };
  const secure = http2.createSecureServer({ key, cert, allowHTTP1: true }, onRequest);
  const plain = http.createServer(onRequest);
  for (const server of [secure, plain]) {
    server.on('connection', (socket: net.Socket) => {
      connections += 1;
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => sockets.delete(socket));
    });
    server.on('upgrade', (request, socket, head) => fake.upgrade(request, socket, head));
    server.on('sessionError', () => {});
    server.on('tlsClientError', () => {});
    await once(server.listen(0, '127.0.0.1'), 'listening');
  }

  const fake = {
    port: (secure.address() as net.AddressInfo).port,
    plainPort: (plain.address() as net.AddressInfo).port,
    ca,
    get connections() {
      return connections;
    },
    requests,
    plan,
    upgrade: echoUpgrade,
    /** Resets an h1 connection, an h2 stream. */
    breakOff(response: ServerResponse) {
      const { stream } = response as unknown as Http2ServerResponse;
      if (stream !== undefined) stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
      // Of a TLS connection, only the socket below can be reset.
      else
        for (const socket of sockets) if (socket.remotePort === response.socket?.remotePort) socket.resetAndDestroy();
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      await Promise.all([secure, plain].map((server) => new Promise((resolve) => server.close(resolve))));
    },
  };
  return fake;
}

interface AnswerContext {
  readonly requests: Seen[];
  readonly plan: FakeCopilot['plan'];
  breakOff(response: ServerResponse): void;
}

async function answer(request: IncomingMessage, response: ServerResponse, fake: AnswerContext): Promise<void> {
  const seen: Seen = {
    httpVersion: request.httpVersion,
    method: request.method ?? '',
    host: String(request.headers[':authority'] ?? request.headers.host ?? ''),
    path: request.url ?? '',
    headers: { ...request.headers },
    rawHeaders: [...request.rawHeaders],
    body: Buffer.alloc(0),
    sentAt: [],
    end: undefined,
  };
  fake.requests.push(seen);
  request.on('error', () => {});
  response.on('error', () => {});
  response.once('finish', () => {
    // HTTP/2 finishes what the client has reset, too.
    const { stream } = response as unknown as Partial<Http2ServerResponse>;
    if (!stream?.aborted && !stream?.rstCode) seen.end ??= 'finished';
  });
  response.once('close', () => {
    seen.end ??= 'cancelled';
  });
  const body: Buffer[] = [];
  try {
    for await (const chunk of request) body.push(chunk);
  } catch {
    return;
  }
  seen.body = Buffer.concat(body);
  await send(response, seen, planned(seen, fake.plan(seen)), fake);
}

function planned(seen: Seen, plan: Partial<Plan>): Plan & { readonly events: readonly string[] | undefined } {
  const all: Plan = {
    pieces: SAMPLE_PIECES,
    calls: [],
    delayMs: 0,
    contentType: 'text/event-stream; charset=utf-8',
    status: 200,
    breakAfter: Number.POSITIVE_INFINITY,
    silentMs: 0,
    encoding: 'identity',
    body: '',
    ...plan,
  };
  return { ...all, events: plan.body === undefined ? eventsFor(seen, all) : undefined };
}

async function send(
  response: ServerResponse,
  seen: Seen,
  plan: Plan & { readonly events: readonly string[] | undefined },
  fake: AnswerContext,
): Promise<void> {
  const { events, status, contentType, encoding, delayMs, breakAfter, silentMs } = plan;
  // No test that is over waits for it.
  if (silentMs > 0) await sleep(silentMs, undefined, { ref: false });
  if (seen.end !== undefined) return;
  if (breakAfter < 0) {
    seen.end = 'broken';
    fake.breakOff(response);
    return;
  }
  const headers: Record<string, string> = { 'x-request-id': 'fake-1', 'x-github-request-id': 'F4KE:1' };
  if (encoding !== 'identity') headers['content-encoding'] = encoding;
  if (events === undefined) {
    const content = Buffer.from(plan.body === '' ? JSON.stringify(otherAnswer(seen, plan)) : plan.body);
    const type = plan.body === '' ? 'application/json' : contentType;
    const wire =
      encoding === 'gzip' ? zlib.gzipSync(content) : encoding === 'br' ? zlib.brotliCompressSync(content) : content;
    response.writeHead(status, { ...headers, 'content-type': type, 'content-length': wire.length });
    seen.sentAt.push(Date.now());
    response.end(wire);
    return;
  }
  response.writeHead(status, { ...headers, 'content-type': contentType });
  const coder = encoding === 'gzip' ? zlib.createGzip() : encoding === 'br' ? zlib.createBrotliCompress() : undefined;
  coder?.pipe(response);
  for (const [i, event] of events.entries()) {
    if (i >= breakAfter) {
      seen.end = 'broken';
      fake.breakOff(response);
      return;
    }
    if (i > 0 && delayMs > 0) await sleep(delayMs);
    if (seen.end !== undefined) return;
    seen.sentAt.push(Date.now());
    if (coder === undefined) response.write(event);
    else {
      coder.write(event);
      await new Promise<void>((resolve) => coder.flush(() => resolve()));
    }
  }
  (coder ?? response).end();
}

// ------------------------------------------------------------------------------------------------------------ the shapes

/** A stream's events, or undefined where the answer is a whole. */
function eventsFor(seen: Seen, { pieces, calls, status }: Plan): string[] | undefined {
  const asked = json(seen.body) as { n?: number; stream?: boolean; model?: string };
  if (status !== 200 || seen.method !== 'POST') return undefined;
  if (/\/v1\/engines\/[^/]+\/completions/.test(seen.path)) return completionEvents(pieces, asked.n ?? 1);
  if (asked.stream !== true) return undefined;
  const said = saidOf(asked.model, pieces, calls);
  if (seen.path.includes('/chat/completions')) return chatEvents(pieces, asked.model);
  if (/\/responses(\?|$)/.test(seen.path)) return responseEvents(said).map(event);
  // Copilot has the mark of OpenAI's ends behind Anthropic's.
  if (/\/v1\/messages(\?|$)/.test(seen.path)) return [...messageEvents(said).map(event), DONE];
  return undefined;
}

function saidOf(model: string | undefined, pieces: readonly string[], calls: readonly SaidCall[]): Said {
  return { model, pieces, calls, nanoCredits: NANO_CREDITS };
}

/** 1.75 AI credits. */
const NANO_CREDITS = 1_750_000_000;

const CREATED = 1_763_800_000;
const USAGE = { prompt_tokens: 20, completion_tokens: 12, total_tokens: 32 };

/** Ghost text: the choices take turns, each with its index. */
function completionEvents(pieces: readonly string[], n: number): string[] {
  const chunk = (choices: object[], more = {}) =>
    event({ id: 'cmpl-fake', created: CREATED, model: 'gpt-41-copilot', choices, ...more });
  const indexes = Array.from({ length: n }, (_, index) => index);
  const text = pieces.flatMap((piece) =>
    indexes.map((index) => chunk([{ index, text: index === 0 ? piece : `${index}${piece}`, finish_reason: null }])),
  );
  const ends = indexes.map((index) => chunk([{ index, text: '', finish_reason: 'stop' }]));
  return [...text, ...ends, chunk([], { usage: USAGE }), DONE];
}

function chatEvents(pieces: readonly string[], model = 'gpt-4.1'): string[] {
  const chunk = (choices: object[], more = {}) =>
    event({ id: 'chatcmpl-fake', created: CREATED, model, choices, ...more });
  const delta = (content: string | null, finish_reason: string | null = null) =>
    chunk([{ index: 0, delta: { content, role: 'assistant' }, finish_reason }]);
  return [...pieces.map((piece) => delta(piece)), delta(null, 'stop'), chunk([], { usage: USAGE }), DONE];
}

const DONE = 'data: [DONE]\n\n';

/** Those that have a type are named by it, too. */
function event(data: object): string {
  const { type } = data as { type?: string };
  const name = type === undefined ? '' : `event: ${type}\n`;
  return `${name}data: ${JSON.stringify(data)}\n\n`;
}

/** What is asked besides: the token exchange, the models, the experiments; an echo of anything else. */
function otherAnswer(seen: Seen, { pieces, calls, status }: Plan): object {
  const [path] = seen.path.split('?');
  if (path?.endsWith('/copilot_internal/v2/token')) {
    const base = (name: string) => `https://${name}.individual.githubcopilot.com`;
    return {
      token: 'tid=fake;exp=9999999999;sku=fake_seat',
      expires_at: 9_999_999_999,
      endpoints: { api: base('api'), proxy: base('proxy'), telemetry: base('telemetry') },
    };
  }
  if (path === '/models') return { data: [{ id: 'gpt-4.1', object: 'model' }], object: 'list' };
  if (path === '/telemetry' && seen.method === 'GET') return { Configs: [] };
  if (path?.endsWith('/chat/completions')) {
    const content = SAMPLE_PIECES.join('');
    return {
      id: 'chatcmpl-fake',
      choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
      usage: USAGE,
    };
  }
  const { model } = json(seen.body) as { model?: string };
  const said = saidOf(model, pieces, calls);
  const charge = { copilot_usage: { total_nano_aiu: said.nanoCredits } };
  if (status === 200 && path === '/responses') return responseOf(said, 'completed', charge);
  if (status === 200 && path === '/v1/messages') return messageOf(said);
  const { method, path: url, headers, httpVersion } = seen;
  return { method, url, headers, httpVersion, body: seen.body.toString() };
}

function json(body: Buffer): object {
  try {
    return JSON.parse(body.toString()) ?? {};
  } catch {
    return {};
  }
}

/** Agrees to any upgrade, and sends back what it gets. */
function echoUpgrade(request: IncomingMessage, socket: net.Socket, head: Buffer): void {
  const protocol = request.headers.upgrade ?? '';
  socket.write(`HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: ${protocol}\r\n\r\n`);
  socket.write(head);
  socket.pipe(socket);
}
