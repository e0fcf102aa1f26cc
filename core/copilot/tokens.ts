import type { Choice, CopilotEndpoint, Tokens } from '../addon.ts';
import type { Answer } from './answer.ts';
import { at, countAt, textAt } from './json.ts';
import { itemsOf } from './request.ts';

/** OpenAI and Anthropic both say that a token is about four characters of English. */
const CHARACTERS_PER_TOKEN = 4;

/** Where there was no answer, nobody knows whether any were used. */
export const NO_TOKENS: Tokens = { prompt: 0, completion: 0, cached: 0, reasoning: 0, estimated: false };

/** What the server says of tokens; an estimate of what it does not say. */
export function tokensOf(
  endpoint: CopilotEndpoint,
  request: unknown,
  answer: Answer,
  choices: readonly Choice[],
): Tokens {
  const { prompt, completion, cached, reasoning } = answer;
  return {
    prompt: prompt ?? promptTokens(endpoint, request),
    completion: completion ?? tokensIn(choices.reduce((sum, choice) => sum + charactersOf(choice), 0)),
    cached,
    reasoning,
    estimated: prompt === undefined || completion === undefined,
  };
}

function promptTokens(endpoint: CopilotEndpoint, request: unknown): number {
  if (endpoint !== 'completions')
    return tokensIn(charactersIn(itemsOf(endpoint, request)) + charactersIn(at(request, 'system')));
  // Editors count the tokens of ghost text themselves.
  const told = countAt(request, 'extra', 'prompt_tokens');
  if (told !== undefined) return told + (countAt(request, 'extra', 'suffix_tokens') ?? 0);
  return tokensIn((textAt(request, 'prompt')?.length ?? 0) + (textAt(request, 'suffix')?.length ?? 0));
}

function charactersOf({ text, toolCalls }: Choice): number {
  return toolCalls.reduce((sum, call) => sum + call.arguments.length, text.length);
}

function tokensIn(characters: number): number {
  return Math.ceil(characters / CHARACTERS_PER_TOKEN);
}

/** Of all texts in there; what is an image or a file is no text, however it is written. */
function charactersIn(value: unknown): number {
  if (typeof value === 'string') return value.length;
  if (typeof value !== 'object' || value === null || /image|file|audio/.test(textAt(value, 'type') ?? '')) return 0;
  return Object.values(value).reduce((sum: number, each) => sum + charactersIn(each), 0);
}
