import type { CopilotEndpoint } from '../addon.ts';
import { at, hasObjectAt, listAt, textAt } from './json.ts';

/** What is read of a request, whichever its protocol. */
export interface Asked {
  readonly model: string | undefined;
  /** The last words of the user, or the end of the prompt to complete. */
  readonly prompt: string;
  /** Who has the last word in what is asked. */
  readonly last: 'user' | 'tool' | 'other' | 'none';
  /** The result of a tool has come since the model spoke last; the editor may have put something behind it. */
  readonly hasNewResults: boolean;
  /** The one tool that the answer has to be a call of. */
  readonly forcedTool: string | undefined;
  /** It asks with `stop`, as editors of old did in the background. */
  readonly hasStop: boolean;
  /** It gives the text that is probably going to be answered, as next edits do. */
  readonly hasPrediction: boolean;
  /** On a WebSocket, where there are no headers. */
  readonly initiator: string | undefined;
}

/** So much of a prompt to complete is shown as what was asked. */
const MAX_PROMPT_CHARACTERS = 32 * 1024;

/** Reads a request's JSON. */
export function readRequest(endpoint: CopilotEndpoint, request: unknown): Asked {
  const items = itemsOf(endpoint, request);
  const speakers = items.map(speakerOf);
  return {
    model: textAt(request, 'model'),
    prompt:
      (endpoint === 'completions' ? textAt(request, 'prompt') : lastWords(items))?.slice(-MAX_PROMPT_CHARACTERS) ?? '',
    last: speakers.at(-1) ?? 'none',
    hasNewResults: speakers.lastIndexOf('tool') > items.findLastIndex(isOfModel),
    forcedTool: forcedToolOf(at(request, 'tool_choice')),
    hasStop: (at(request, 'stop') ?? undefined) !== undefined,
    hasPrediction: hasObjectAt(request, 'prediction'),
    initiator: textAt(request, 'initiator'),
  };
}

/** What was said before, in order. */
export function itemsOf(endpoint: CopilotEndpoint, request: unknown): readonly unknown[] {
  if (endpoint !== 'responses') return listAt(request, 'messages');
  const input = at(request, 'input');
  return typeof input === 'string' ? [{ role: 'user', content: input }] : listAt(request, 'input');
}

function speakerOf(item: unknown): 'user' | 'tool' | 'other' {
  const role = textAt(item, 'role');
  if (role === 'tool' || role === 'function' || textAt(item, 'type')?.endsWith('_call_output') === true) return 'tool';
  if (role !== 'user') return 'other';
  const parts = listAt(item, 'content');
  const isResult = (part: unknown) => textAt(part, 'type') === 'tool_result';
  return parts.length > 0 && parts.every(isResult) ? 'tool' : 'user';
}

/** What the model has said: a message, or a call of a tool. */
function isOfModel(item: unknown): boolean {
  return textAt(item, 'role') === 'assistant' || textAt(item, 'type')?.endsWith('_call') === true;
}

function lastWords(items: readonly unknown[]): string | undefined {
  const spoken = items.findLast((item) => speakerOf(item) === 'user');
  const content = at(spoken, 'content');
  if (typeof content === 'string') return content;
  const texts = listAt(spoken, 'content').map((part) => textAt(part, 'text'));
  // What comes before it in the same message is context that the editor has added.
  return texts.findLast((text) => text !== undefined);
}

/** `{type: 'function', function: {name}}`, `{type: 'function', name}` or Anthropic's `{type: 'tool', name}`. */
function forcedToolOf(choice: unknown): string | undefined {
  const type = textAt(choice, 'type');
  if (type !== 'function' && type !== 'tool') return undefined;
  return textAt(choice, 'function', 'name') ?? textAt(choice, 'name');
}
