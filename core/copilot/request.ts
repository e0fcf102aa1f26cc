import type { CopilotEndpoint } from '../addon.ts';
import { at, hasObjectAt, listAt, textAt } from './json.ts';

/** What is read of a request, whichever its protocol. */
export interface Asked {
  readonly model: string | undefined;
  /** The last words of the user, or the end of the prompt to complete. */
  readonly prompt: string;
  /** All that the user has said since the model spoke, with what the editor has put beside it; of chats only. */
  readonly words: readonly string[];
  /** What is attached to that, as paths of files. */
  readonly files: readonly string[];
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
  const spoken = lastSpoken(items, speakers);
  return {
    model: textAt(request, 'model'),
    prompt:
      (endpoint === 'completions' ? textAt(request, 'prompt') : lastWords(items))?.slice(-MAX_PROMPT_CHARACTERS) ?? '',
    words: spoken.flatMap(textsOf),
    files: spoken.flatMap(referencesOf),
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
  // What comes before it in the same message is context that the editor has added.
  return textsOf(spoken).at(-1);
}

/** What the user has said last: some editors make several messages of it. */
function lastSpoken(items: readonly unknown[], speakers: readonly ReturnType<typeof speakerOf>[]): readonly unknown[] {
  const end = speakers.lastIndexOf('user') + 1;
  const start = items.slice(0, end).findLastIndex(isOfModel) + 1;
  return items.slice(start, end).filter((_, i) => speakers[start + i] === 'user');
}

function textsOf(item: unknown): string[] {
  const content = at(item, 'content');
  if (typeof content === 'string') return [content];
  return listAt(item, 'content')
    .map((part) => textAt(part, 'text'))
    .filter((text) => text !== undefined);
}

/** What Copilot's extensions get: `copilot_references: [{type: 'client.file', id: 'src/a.py', …}]`. */
function referencesOf(item: unknown): string[] {
  return listAt(item, 'copilot_references')
    .filter((reference) => textAt(reference, 'type') === 'client.file')
    .map((reference) => textAt(reference, 'id'))
    .filter((id) => id !== undefined);
}

/** `{type: 'function', function: {name}}`, `{type: 'function', name}` or Anthropic's `{type: 'tool', name}`. */
function forcedToolOf(choice: unknown): string | undefined {
  const type = textAt(choice, 'type');
  if (type !== 'function' && type !== 'tool') return undefined;
  return textAt(choice, 'function', 'name') ?? textAt(choice, 'name');
}
