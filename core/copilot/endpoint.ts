/** What a request to Copilot is for, as far as it is counted. */
export type UsageKind = 'chat' | 'completions';

const COMPLETIONS = /\/v1\/engines\/([^/]+)\/completions/;

/**
 * Recognizes a use of Copilot by its path: `/v1/engines/<any>/completions` asks for ghost text, `/chat/completions` is
 * a chat. Everything else is not counted.
 */
export function usageKindOf(method: string, path: string): UsageKind | undefined {
  if (method !== 'POST') return undefined;
  const [pathname = ''] = path.split('?');
  if (COMPLETIONS.test(pathname)) return 'completions';
  return pathname.includes('/chat/completions') ? 'chat' : undefined;
}

/** The engine that a completion's path names: there the body names no model. */
export function engineOf(path: string): string | undefined {
  return COMPLETIONS.exec(path)?.[1];
}
