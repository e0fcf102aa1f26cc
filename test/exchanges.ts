/** Uses of Copilot, for tests: bodies in the shapes of its protocols, and what is decoded of them. */
import assert from 'node:assert/strict';
import type { CopilotExchange } from '../core/addon.ts';
import { readExchange } from '../core/copilot/http-reading.ts';
import { endedFlow } from './host-kit.ts';
import type { FlowParts } from './kit.ts';

const HOST = 'https://api.githubcopilot.com';
export const CHAT = `${HOST}/chat/completions`;
export const RESPONSES = `${HOST}/responses`;
export const MESSAGES = `${HOST}/v1/messages`;
export const AGENTS = `${HOST}/agents/some-extension`;
export const COMPLETIONS = 'https://proxy.githubcopilot.com/v1/engines/gpt-41-copilot/completions';

/** A stream of server-sent events: objects as JSON, texts as they are. */
export function events(...data: readonly (object | string)[]): string {
  return data.map((each) => `data: ${typeof each === 'string' ? each : JSON.stringify(each)}\n\n`).join('');
}

/** A piece of ghost text. */
export function text(index: number, piece: string, finish: string | null = null): object {
  return { choices: [{ index, text: piece, finish_reason: finish }] };
}

/** A piece of a chat. */
export function delta(content: string | null, finish: string | null = null, more: object = {}): object {
  return { choices: [{ index: 0, delta: { content, ...more }, finish_reason: finish }] };
}

/** What is decoded of a flow that is over. */
export async function decoded(parts: FlowParts): Promise<CopilotExchange> {
  return (await readExchange(endedFlow(parts))) ?? assert.fail('no use of Copilot');
}

/** The same, of an answer of that body. */
export function answered(url: string, body: string | object, more: FlowParts = {}): Promise<CopilotExchange> {
  const wire = typeof body === 'string' ? body : JSON.stringify(body);
  return decoded({ url, ...more, response: { body: wire, ...more.response } });
}
