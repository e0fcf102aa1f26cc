import type { CopilotEndpoint, UsageKind } from '../addon.ts';

/** Something of Copilot that can be asked for: in which protocol, and what it is a use of. */
export interface Endpoint {
  readonly endpoint: CopilotEndpoint;
  readonly kind: UsageKind;
}

/** What editors ask Copilot for beside its uses: it is known, and counted as nothing. */
export interface NoUse {
  /** `embeddings` index code in the background; `models` are listed, and one is chosen. */
  readonly endpoint: 'embeddings' | 'models';
  readonly kind: 'none';
}

/** By path, since hosts differ by plan and site. What is not here (telemetry, tokens, …) is nothing of the model's. */
const ENDPOINTS: readonly (readonly [path: RegExp, Endpoint | NoUse])[] = [
  // Ghost text, and the panel with ten of it.
  [/\/v1\/engines\/[^/]+\/completions$/, { endpoint: 'completions', kind: 'completions' }],
  // OpenAI's chat completions. On the proxy's host, edits are applied by it as well.
  [/\/chat\/completions$/, { endpoint: 'chat', kind: 'chat' }],
  // OpenAI's responses, over HTTP and WebSocket.
  [/(^|\/v1)\/responses$/, { endpoint: 'responses', kind: 'chat' }],
  // Anthropic's messages.
  [/\/v1\/messages$/, { endpoint: 'messages', kind: 'chat' }],
  // Copilot's extensions, which answer as chat completions do.
  [/^\/agents\/[^/]+/, { endpoint: 'agents', kind: 'chat' }],
  [/^(\/v1)?\/embeddings(\/models)?$/, { endpoint: 'embeddings', kind: 'none' }],
  [/^(\/v1)?\/models(\/|$)/, { endpoint: 'models', kind: 'none' }],
];

/** What a request asks of Copilot, whether that is a use of it or none; undefined if it is not known. */
export function recognize(path: string): Endpoint | NoUse | undefined {
  const query = path.indexOf('?');
  const pathname = query === -1 ? path : path.slice(0, query);
  return ENDPOINTS.find(([pattern]) => pattern.test(pathname))?.[1];
}

/** What a request asks of Copilot; undefined if it is no use of it. `path` may have a query. */
export function endpointOf(path: string): Endpoint | undefined {
  const known = recognize(path);
  return known?.kind === 'none' ? undefined : known;
}

/** The engine that a completion's path names: there the body names no model. */
export function engineOf(path: string): string | undefined {
  return /\/v1\/engines\/([^/?]+)\/completions/.exec(path)?.[1];
}
