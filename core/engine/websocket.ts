import type { WebSocketClose } from '../addon.ts';
import type { Chain, Instance } from '../chain.ts';
import type { HttpFlow } from '../flow.ts';
import type { FlowObserver } from '../flow-observer.ts';
import type { HookArguments } from '../hooks.ts';
import type { Pin } from '../pin.ts';
import { WholeMessage } from '../websocket-message.ts';
import type { Switched } from './upstream-request.ts';
import { BadFrames, type Frame, WebSocketEnd } from './websocket-end.ts';

/** How long a WebSocket that one side has closed may take to be closed by the other. */
const CLOSE_TIMEOUT_MS = 5_000;

// RFC 6455, section 7.4.1.
const GOING_AWAY = 1001;
const BROKEN_OFF = 1006;
const INTERNAL_ERROR = 1011;

const WEBSOCKET_HOOKS = ['websocketStart', 'websocketMessage', 'websocketEnd'] as const;
type WebSocketHook = (typeof WEBSOCKET_HOOKS)[number];

/** Whether some addon wants to know what is said on a WebSocket at that path. */
export function readsWebSocket(path: string, { takers }: Chain): boolean {
  return WEBSOCKET_HOOKS.some((hook) => takers[hook].some((instance) => isReadBy(instance, path)));
}

/** An addon that fails to say so has hooks that would like to be called. */
function isReadBy({ addon, context }: Instance, path: string): boolean {
  try {
    return addon.readsWebSocket?.(path, context) ?? true;
  } catch {
    return true;
  }
}

/** The flow that a WebSocket began as, and who looks on. */
export interface Watched {
  readonly flow: HttpFlow;
  readonly pin: Pin;
  readonly observer: FlowObserver | undefined;
}

/**
 * A WebSocket whose messages addons see. Each direction is read frame by frame, and no further than the hooks and the
 * receiver have come: so order is kept, and whoever is slow slows the sender down.
 */
export class WebSocketRelay {
  readonly #flow: HttpFlow;
  readonly #pin: Pin;
  readonly #observer: FlowObserver | undefined;
  readonly #client: WebSocketEnd;
  readonly #server: WebSocketEnd;
  /** How it ended, whoever was first. */
  #close: WebSocketClose | undefined;
  /** Both directions have come to their end. */
  #over = false;

  constructor({ flow, pin, observer }: Watched, client: Switched, server: Switched) {
    this.#flow = flow;
    this.#pin = pin;
    this.#observer = observer;
    this.#client = new WebSocketEnd('client', client);
    this.#server = new WebSocketEnd('server', server);
    for (const { role, socket } of [this.#client, this.#server]) {
      // What breaks shows where it is read, too; without a listener it would end the process.
      socket.on('error', () => {});
      // While a hook or a slow receiver has the turn, nothing is read.
      socket.once('close', () => {
        if (!socket.readableEnded && !this.#over) this.#cut(role);
      });
    }
  }

  /** Resolves when it is closed and its hooks have run. Never rejects. */
  async run(): Promise<void> {
    // An addon has killed it before it was one.
    if (this.#flow.killed) return this.#destroy();
    await this.#hook('websocketStart', this.#flow);
    await Promise.all([this.#pass(this.#client, this.#server), this.#pass(this.#server, this.#client)]);
    this.#over = true;
    for (const end of [this.#client, this.#server]) end.finish();
    const close = this.#close as WebSocketClose;
    await this.#hook('websocketEnd', this.#flow, close);
    await this.#observer?.closed(close);
  }

  /** Closes it, since the proxy stops. */
  goAway(): void {
    this.#shut(GOING_AWAY);
  }

  /** Passes on what one end sends, until it has closed or broken off. */
  async #pass(from: WebSocketEnd, to: WebSocketEnd): Promise<void> {
    try {
      for await (const frame of from.frames()) {
        if (frame.kind === 'close') {
          const { code, reason } = frame;
          this.#ended({ by: from.role, code, reason });
          await to.send(frame);
          return;
        }
        await this.#passFrame(frame, from, to);
      }
      this.#breakOff(from, to);
    } catch (error) {
      if (error instanceof BadFrames) await this.#refuse(from, error.code);
      else this.#cut(from.role);
    }
  }

  async #passFrame(frame: Exclude<Frame, { kind: 'close' }>, from: WebSocketEnd, to: WebSocketEnd): Promise<void> {
    // What still comes in after the proxy has closed it is nobody's.
    if (to.closed) return;
    if (frame.kind !== 'message') return to.send(frame);
    const { isText, content } = frame;
    const message = new WholeMessage(from.role, isText, content);
    await this.#hook('websocketMessage', this.#flow, message);
    if (message.dropped) return;
    // Before it is sent: the answer to it can be here before the sender knows that it is.
    this.#observer?.message(message);
    await to.send({ kind: 'message', isText, content: message.content });
  }

  /** Runs a hook; then looks whether an addon has put an end to it. */
  async #hook<Hook extends WebSocketHook>(hook: Hook, ...subject: HookArguments[Hook]): Promise<void> {
    try {
      await this.#pin.dispatch(hook, ...subject);
    } catch {
      // A required addon failed, which is on the log.
      this.#shut(INTERNAL_ERROR);
    }
    if (this.#flow.killed) this.#cut('proxy');
  }

  // --------------------------------------------------------------------------------------------------------- the ending

  /** Notes how it ended; what comes later is what follows from that. It has some time to get done. */
  #ended(close: WebSocketClose): void {
    if (this.#close !== undefined) return;
    this.#close = close;
    setTimeout(() => this.#destroy(), CLOSE_TIMEOUT_MS).unref();
  }

  /** Closes both sides by the book. */
  #shut(code: number): void {
    if (this.#close !== undefined) return;
    const reason = '';
    this.#ended({ by: 'proxy', code, reason });
    for (const end of [this.#client, this.#server]) void end.send({ kind: 'close', code, reason });
  }

  /** Closes both sides for what one of them has sent (RFC 6455, section 7.1.7). */
  async #refuse(from: WebSocketEnd, code: number): Promise<void> {
    this.#shut(code);
    // What it is still being sent may have to be compressed first.
    await from.sent;
    const { socket } = from;
    // Were it closed before what is on its way has been read, the close frame could get lost with the connection.
    socket.end();
    socket.resume();
    if (!socket.destroyed) await new Promise<void>((resolve) => socket.once('end', resolve).once('close', resolve));
  }

  /** One end has stopped sending without a word: the other still gets what it sent before. */
  #breakOff(from: WebSocketEnd, to: WebSocketEnd): void {
    this.#ended({ by: from.role, code: BROKEN_OFF, reason: '' });
    to.socket.destroySoon();
  }

  /** The connection is lost on one side, and given up on the other. */
  #cut(by: WebSocketClose['by']): void {
    this.#ended({ by, code: BROKEN_OFF, reason: '' });
    this.#destroy();
  }

  #destroy(): void {
    this.#client.socket.destroy();
    this.#server.socket.destroy();
  }
}
