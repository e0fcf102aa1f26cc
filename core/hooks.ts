import type { Flow, HookName, Tunnel } from './addon.ts';

/**
 * The hooks as data, in the order in which one instance and one flow meet them. `copies` says of which messages an
 * addon with that hook can read the body, so that the engine keeps no copy that nobody asked for.
 */
export const HOOKS = {
  load: { phase: 'lifecycle' },
  configure: { phase: 'lifecycle' },
  running: { phase: 'lifecycle' },
  connect: { phase: 'traffic' },
  requestHeaders: { phase: 'traffic' },
  request: { phase: 'traffic', copies: ['request'] },
  responseHeaders: { phase: 'traffic' },
  response: { phase: 'traffic', copies: ['request', 'response'] },
  error: { phase: 'traffic', copies: ['request', 'response'] },
  done: { phase: 'lifecycle' },
} as const satisfies Record<HookName, { phase: 'lifecycle' | 'traffic'; copies?: readonly ('request' | 'response')[] }>;

export type LifecycleHook = 'load' | 'configure' | 'running' | 'done';
export type TrafficHook = Exclude<HookName, LifecycleHook>;

/** What a traffic hook is called with. */
export type Subject<Hook extends TrafficHook> = Hook extends 'connect' ? Tunnel : Flow;

export const HOOK_NAMES = Object.keys(HOOKS) as HookName[];

export const TRAFFIC_HOOKS = HOOK_NAMES.filter((hook): hook is TrafficHook => HOOKS[hook].phase === 'traffic');
