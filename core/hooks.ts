import type {
  Acceptance,
  ClientConnection,
  CopilotExchange,
  Flow,
  HookName,
  TelemetryBatch,
  TlsFailure,
  Tunnel,
  WebSocketClose,
  WebSocketMessage,
} from './addon.ts';

/**
 * The hooks as data, in the order in which one instance and one flow meet them. `copies` says of which messages an
 * addon with that hook can read the body, so that the engine keeps no copy that nobody asked for.
 */
export const HOOKS = {
  load: { phase: 'lifecycle' },
  configure: { phase: 'lifecycle' },
  running: { phase: 'lifecycle' },
  clientConnected: { phase: 'traffic' },
  connect: { phase: 'traffic' },
  tlsFailed: { phase: 'traffic' },
  requestHeaders: { phase: 'traffic' },
  request: { phase: 'traffic', copies: ['request'] },
  responseHeaders: { phase: 'traffic' },
  response: { phase: 'traffic', copies: ['request', 'response'] },
  error: { phase: 'traffic', copies: ['request', 'response'] },
  exchange: { phase: 'traffic' },
  telemetry: { phase: 'traffic' },
  acceptance: { phase: 'traffic' },
  websocketStart: { phase: 'traffic' },
  websocketMessage: { phase: 'traffic' },
  websocketEnd: { phase: 'traffic' },
  clientDisconnected: { phase: 'traffic' },
  workerMessage: { phase: 'lifecycle' },
  done: { phase: 'lifecycle' },
} as const satisfies Record<HookName, { phase: 'lifecycle' | 'traffic'; copies?: readonly ('request' | 'response')[] }>;

export type LifecycleHook = 'load' | 'configure' | 'running' | 'workerMessage' | 'done';
export type TrafficHook = Exclude<HookName, LifecycleHook>;

/** What each traffic hook is called with, before its context; what a flow has by then is the engine's to know. */
export interface HookArguments {
  clientConnected: [ClientConnection];
  connect: [Tunnel];
  tlsFailed: [Tunnel, TlsFailure];
  requestHeaders: [Flow];
  request: [Flow];
  responseHeaders: [Flow];
  response: [Flow];
  error: [Flow];
  exchange: [CopilotExchange, Flow];
  telemetry: [TelemetryBatch, Flow];
  acceptance: [Acceptance, Flow];
  websocketStart: [Flow];
  websocketMessage: [Flow, WebSocketMessage];
  websocketEnd: [Flow, WebSocketClose];
  clientDisconnected: [ClientConnection];
}

export const HOOK_NAMES = Object.keys(HOOKS) as HookName[];

export const TRAFFIC_HOOKS = HOOK_NAMES.filter((hook): hook is TrafficHook => HOOKS[hook].phase === 'traffic');
