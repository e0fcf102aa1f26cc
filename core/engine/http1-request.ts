import type { ClientRequest, IncomingMessage, InformationEvent } from 'node:http';
import type net from 'node:net';
import type { Message } from '../addon.ts';
import { codeOf, errors } from '../errors.ts';
import { type HeaderPair, Headers } from '../headers.ts';
import { Cut } from './cut.ts';
import { dropHopByHop } from './head.ts';
import type { Sink } from './relay.ts';
import { MAX_HEAD_BYTES, type RequestHead, type UpstreamAnswer, type UpstreamRequest } from './upstream-request.ts';

/** How it shows that the other end has closed. */
const CLOSED_CODES = new Set(['ECONNRESET', 'EPIPE']);

/** Methods whose requests have a length even without a body (RFC 9110, section 8.6). */
const WITH_CONTENT = new Set(['POST', 'PUT', 'PATCH']);

/** A request's header fields as HTTP/1.1 sends them, in one row: with what says how its body is framed. */
export function http1Fields({ method, headers, hasBody }: RequestHead): string[] {
  const fields = headers.toFlat();
  if (headers.has('content-length')) return fields;
  if (hasBody) fields.push('transfer-encoding', 'chunked');
  else if (WITH_CONTENT.has(method)) fields.push('content-length', '0');
  return fields;
}

/** A request over HTTP/1.1. */
export class Http1Request implements UpstreamRequest {
  readonly #request: ClientRequest;
  readonly #head: RequestHead;
  #answer: IncomingMessage | undefined;
  #lastError: unknown;

  constructor(request: ClientRequest, head: RequestHead) {
    this.#request = request;
    this.#head = head;
    request.on('error', (error) => {
      this.#lastError = error;
    });
  }

  get sink(): Sink {
    return this.#request;
  }

  get sent(): boolean {
    return this.#request.writableFinished;
  }

  onSilence(ms: number, silent: () => void): void {
    this.#request.setTimeout(ms, silent);
  }

  onInterim(told: (status: number, headers: readonly HeaderPair[]) => void): void {
    this.#request.on('information', ({ statusCode, rawHeaders }: InformationEvent) => {
      if (statusCode === 100) return;
      const headers = Headers.fromFlat(rawHeaders);
      dropHopByHop(headers);
      told(statusCode, [...headers]);
    });
  }

  answer(): Promise<UpstreamAnswer> {
    const request = this.#request;
    let isOver = false;
    return new Promise((resolve, reject) => {
      request.once('response', (answer) => {
        isOver = true;
        this.#answer = answer;
        resolve(answerOf(answer));
      });
      if (this.#head.upgrades) {
        request.once('upgrade', (answer, socket, head) => {
          isOver = true;
          socket.on('error', () => {});
          // Whoever speaks another protocol may be silent for as long as it likes.
          (socket as net.Socket).setTimeout(0);
          if (head.length > 0) socket.unshift(head);
          resolve(answerOf(answer, socket as net.Socket));
        });
      }
      request.once('error', (error) => {
        isOver = true;
        const isHead = codeOf(error) === 'HPE_HEADER_OVERFLOW';
        reject(Cut.upstream(isHead ? errors.answerHeadTooLarge(MAX_HEAD_BYTES) : error));
      });
      request.once('close', () => {
        // Every request closes, most of them with an answer: errors cost too much to be made for nothing.
        if (!isOver) reject(Cut.upstream(new Error('the server closed the connection')));
      });
    });
  }

  end(rest?: Uint8Array, trailers: readonly HeaderPair[] = []): void {
    // Trailers need chunks: a body of known length has no place for them (RFC 9112, section 7.1.2).
    const isSized = this.#head.headers.has('content-length');
    if (trailers.length > 0 && !isSized) this.#request.addTrailers(trailers as [string, string][]);
    this.#request.end(rest);
  }

  destroy(reason?: Error): void {
    // Of an answer that is here as a whole, and not read yet, Node drops the rest and tells of a proper end
    // (`ClientRequest.destroy` in its lib/_http_client.js): whoever reads it would pass it on as whole.
    this.#answer?.destroy();
    this.#request.destroy(reason);
  }

  /** A kept connection may be closed just as a request leaves on it (RFC 9112, section 9.3.1). */
  wasMissed(): boolean {
    return this.#request.reusedSocket && CLOSED_CODES.has(codeOf(this.#lastError) ?? '');
  }
}

function answerOf(answer: IncomingMessage, switched?: net.Socket): UpstreamAnswer {
  // An error of the answer shows where its body is read; before that, it must not end the process.
  answer.on('error', () => {});
  const headers = Headers.fromFlat(answer.rawHeaders);
  if (switched === undefined) dropHopByHop(headers);
  return {
    status: answer.statusCode ?? 502,
    statusText: answer.statusMessage ?? '',
    headers,
    httpVersion: answer.httpVersion as Message['httpVersion'],
    body: answer,
    trailers: () => [...Headers.fromFlat(answer.rawTrailers)],
    // Addons may edit the others.
    ...(switched && { switched: { socket: switched, headers: Headers.fromFlat(answer.rawHeaders) } }),
  };
}
