import type { CopilotEndpoint, UsageKind } from '../addon.ts';

/** Something of Copilot that can be asked for: in which protocol, and what it is a use of. */
export interface Endpoint {
  readonly endpoint: CopilotEndpoint;
  readonly kind: UsageKind;
}

/** By path, since hosts differ by plan and site. What is not here (models, embeddings, telemetry, …) is no use. */
const ENDPOINTS: readonly (Endpoint & { readonly path: RegExp })[] = [
  // Ghost text, and the panel with ten of it.
  { path: /\/v1\/engines\/[^/]+\/completions$/, endpoint: 'completions', kind: 'completions' },
  // OpenAI's chat completions. On the proxy's host, edits are applied by it as well.
  { path: /\/chat\/completions$/, endpoint: 'chat', kind: 'chat' },
  // OpenAI's responses, over HTTP and WebSocket.
  { path: /(^|\/v1)\/responses$/, endpoint: 'responses', kind: 'chat' },
  // Anthropic's messages.
  { path: /\/v1\/messages$/, endpoint: 'messages', kind: 'chat' },
  // Copilot's extensions, which answer as chat completions do.
  { path: /^\/agents\/[^/]+/, endpoint: 'agents', kind: 'chat' },
];

/** What a request asks of Copilot; undefined if it is no use of it. `path` may have a query. */
export function endpointOf(path: string): Endpoint | undefined {
  const [pathname = ''] = path.split('?');
  return ENDPOINTS.find((row) => row.path.test(pathname));
}

/** The engine that a completion's path names: there the body names no model. */
export function engineOf(path: string): string | undefined {
  return /\/v1\/engines\/([^/?]+)\/completions/.exec(path)?.[1];
}
