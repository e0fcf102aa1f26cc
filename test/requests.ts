/** Requests that tests send: some of our own, and those that GitHub's own language server sent. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

/** A request as it was captured; strings over 200 characters are cut in it. */
export interface Capture {
  readonly method: string;
  readonly host: string;
  readonly path: string;
  /** With the pseudo-headers of HTTP/2. */
  readonly headers: Record<string, string>;
  readonly body: unknown;
}

/** Reads `test/fixtures/captures/<name>.json`, ready to be sent with its body as JSON. */
export function capture(name: string): Capture {
  const file = path.join(import.meta.dirname, 'fixtures/captures', `${name}.json`);
  const captured = JSON.parse(readFileSync(file, 'utf8')) as Capture;
  // The body was shortened, so its length is another.
  const { 'content-length': _, ...headers } = captured.headers;
  return { ...captured, headers };
}

export const GHOST = '12-post-proxy-copilot-ghost';
export const GHOST_SPECULATIVE = '13-post-proxy-copilot-ghost-speculative';
export const PANEL = '14-post-proxy-copilot-panel';
export const CHAT_TURN = '16-post-api-chat-turn';
export const CHAT_SUGGESTIONS = '18-post-api-chat-showsuggestions';
export const RESPONSES = '19-post-api-responses';
export const MESSAGES = '20-post-api-v1-messages';
export const GIT_COMMIT = '21-post-api-chat-git-commit';

export const API_HOST = 'api.individual.githubcopilot.com';
export const PROXY_HOST = 'proxy.individual.githubcopilot.com';
export const COMPLETIONS_PATH = '/v1/engines/gpt-41-copilot/completions';

/** A chat as VS Code sends it, from an editor and with a question of your choice. */
export function chatRequest(question: string, more: object = {}): string {
  return JSON.stringify({ model: 'gpt-4.1', messages: [{ role: 'user', content: question }], stream: true, ...more });
}

/** Ghost text for a prompt of your choice. */
export function completionRequest(prompt: string, more: object = {}): string {
  return JSON.stringify({ prompt, suffix: '', n: 1, stream: true, extra: { language: 'python' }, ...more });
}
