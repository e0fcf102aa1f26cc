import type { WebSocketClose, WebSocketMessage } from './addon.ts';
import type { HttpFlow } from './flow.ts';
import type { Pin } from './pin.ts';

/** Looks on while a flow passes, beside the hooks, and changes nothing. */
export interface FlowObserver {
  /** The head of the answer is settled; its body follows. */
  answered(): void;
  /** The flow has ended and its hooks have run; for one that became a WebSocket, it has opened. May reject as hooks do. */
  ended(): void | Promise<void>;
  /** A message on the flow's WebSocket is passed on. */
  message(message: WebSocketMessage): void;
  /** The WebSocket has closed and its hooks have run. */
  closed(close: WebSocketClose): void | Promise<void>;
}

/** Decides which flows are looked at. It is asked for each, once their `requestHeaders` hooks have run. */
export interface FlowObservers {
  observe(flow: HttpFlow, pin: Pin): FlowObserver | undefined;
  /** Whether a WebSocket at that path would be: its messages have to be readable then. */
  readsWebSocket(path: string, pin: Pin): boolean;
}
