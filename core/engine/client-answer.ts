import { type ServerResponse, STATUS_CODES } from 'node:http';
import { constants, type Http2ServerResponse } from 'node:http2';
import type { Answer } from '../addon.ts';
import { HttpResponse } from '../flow.ts';
import { type HeaderPair, Headers } from '../headers.ts';
import { isBodiless, isHttp2, type NodeResponse, sendHead } from './head.ts';
import { headText } from './raw-answer.ts';
import type { Sink } from './relay.ts';

/** The client's end of an exchange, where its answer is written: the same for HTTP/1 and HTTP/2. */
export class ClientAnswer {
  readonly #response: ServerResponse;
  readonly #method: string;
  readonly #settled: Promise<void>;
  /** All of it is with the system, on its way. */
  delivered = false;

  /** `onGone` is called when the client closes before it has everything. */
  constructor(response: NodeResponse, method: string, onGone: () => void) {
    // HTTP/2's compatibility layer has the same methods, with other types.
    this.#response = response as ServerResponse;
    this.#method = method;
    // A broken connection shows as `close`; without a listener its error would end the process.
    this.#response.on('error', () => {});
    this.#settled = new Promise((resolve) => {
      const forget = onQueuedSocketClose(response, () => {
        onGone();
        resolve();
      });
      const onFinish = () => {
        // HTTP/2 finishes what the client has reset, too.
        this.delivered = !isHttp2(response) || !(response as Http2ServerResponse).stream.aborted;
        if (this.delivered) resolve();
      };
      // HTTP/2's compatibility layer says so only once the client, too, has sent all; and of a HEAD not at all, if it
      // was not answered.
      const carrier = isHttp2(response) ? (response as Http2ServerResponse).stream : this.#response;
      // Its stream has been ended by Node before there is an answer, whose head is then all of it.
      const isHeadOnly = isHttp2(response) && method === 'HEAD';
      if (!isHeadOnly) carrier.once('finish', onFinish);
      carrier.once('close', () => {
        forget();
        if (isHeadOnly) this.delivered = this.begun;
        if (!this.delivered) onGone();
        resolve();
      });
    });
  }

  /** Something of an answer has been sent. */
  get begun(): boolean {
    return this.#response.headersSent;
  }

  /** To write a body to, after `sendHead`. */
  get sink(): Sink {
    return this.#response;
  }

  sendHead(response: HttpResponse): void {
    sendHead(this.#response, response);
  }

  /** Passes on an interim answer (RFC 9110, section 15.2), where the client can take one now. */
  inform(status: number, fields: readonly HeaderPair[]): void {
    const { headersSent, req, socket } = this.#response;
    if (headersSent || this.#response.destroyed) return;
    const headers = new Headers(fields);
    if (isHttp2(this.#response)) {
      const { stream } = this.#response as unknown as Http2ServerResponse;
      if (!stream.destroyed) stream.additionalHeaders({ ...headers.toObject(), ':status': status });
    } else if (req.httpVersion !== '1.0') {
      // Without a socket, its answer is not the next on its connection.
      socket?.write(headText(status, STATUS_CODES[status] ?? '', headers));
    }
  }

  /** Ends a body that was written to `sink`, all but what is left of it. */
  end(rest: Uint8Array | undefined, trailers: readonly HeaderPair[]): void {
    if (trailers.length > 0) this.#response.addTrailers(new Headers(trailers).toObject() as never);
    this.#response.end(rest);
  }

  /** Sends a response that is here as a whole. */
  send(response: HttpResponse): void {
    this.sendHead(response);
    if (response.content === undefined || isBodiless(this.#method, response.status)) this.#response.end();
    else this.#response.end(response.content);
  }

  /** Has a client that has its answer send no more of its request, where its version knows how (RFC 9113, section 8.1). */
  wantNoMore(): void {
    if (isHttp2(this.#response))
      (this.#response as unknown as Http2ServerResponse).stream.close(constants.NGHTTP2_NO_ERROR);
  }

  /** Ends it so that nobody takes it for complete. */
  breakOff(): void {
    if (!isHttp2(this.#response)) this.#response.destroy();
    else (this.#response as unknown as Http2ServerResponse).stream.close(constants.NGHTTP2_INTERNAL_ERROR);
  }

  /** Resolves when it is delivered, or the client is gone. */
  settled(): Promise<void> {
    return this.#settled;
  }
}

/** Answers a request that comes to no exchange. */
export function refuse(response: NodeResponse, method: string, answer: Answer): void {
  new ClientAnswer(response, method, () => {}).send(HttpResponse.from(answer));
}

/**
 * An answer of HTTP/1 that waits for those before it on its connection has no socket yet, and is told of nothing when
 * that closes; and one that was given up has none any more. Returns what stops the watch.
 */
function onQueuedSocketClose(response: NodeResponse, onClose: () => void): () => void {
  if (isHttp2(response) || response.socket !== null) return () => {};
  const { socket } = (response as ServerResponse).req;
  if (socket.destroyed || response.destroyed) onClose();
  else socket.setMaxListeners(0).once('close', onClose);
  return () => socket.off('close', onClose);
}
