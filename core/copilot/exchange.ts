import type { Flow } from '../addon.ts';
import { engineOf, type UsageKind, usageKindOf } from './endpoint.ts';
import { looksLikeEvents, parseEvents, parseJson } from './sse.ts';

/** One of the answers to one request; ghost text asks for several at once. */
export interface Choice {
  readonly index: number;
  /** All that was sent of it, put together. */
  readonly text: string;
  /** `stop`, `length`, `tool_calls`, …; undefined when the answer was cut before. */
  readonly finishReason: string | undefined;
}

/** A use of Copilot, decoded. */
export interface CopilotExchange {
  readonly kind: UsageKind;
  /** As in `vscode-1.96.2`; `-` when the client does not say. */
  readonly editor: string;
  /** Of the code to complete, as the client names it; `unknown` for chats, which do not say. */
  readonly language: string;
  readonly model: string | undefined;
  /** The request's JSON, or its text where it is none. */
  readonly request: unknown;
  /** Each event's JSON for a stream; the JSON of any other answer, or its text where it is none. */
  readonly response: unknown;
  readonly choices: readonly Choice[];
  /** The client got what it asked for: all of the answer, or all up to a finish reason; clients hang up after that. */
  readonly complete: boolean;
}

interface Decoded {
  readonly size: number;
  readonly exchange: CopilotExchange | undefined;
}

const decoded = new WeakMap<Flow, Decoded>();

/**
 * What a flow was as a use of Copilot; undefined if it was none, or has no answer. Ask in `response` or `error`. It is
 * decoded once, however many addons ask.
 */
export function copilotExchange(flow: Flow): CopilotExchange | undefined {
  const size = flow.response?.body.size ?? -1;
  const known = decoded.get(flow);
  if (known?.size === size) return known.exchange;
  const exchange = decode(flow);
  decoded.set(flow, { size, exchange });
  return exchange;
}

function decode({ request, response, error }: Flow): CopilotExchange | undefined {
  const kind = usageKindOf(request.method, request.path);
  if (kind === undefined || response === undefined) return undefined;
  const asked = parseJson(request.body.text());
  const text = response.body.text();
  const isStream = looksLikeEvents(response.headers.get('content-type'), text);
  const answer = isStream ? parseEvents(text) : parseJson(text);
  const choices = choicesOf(isStream ? (answer as unknown[]) : [answer]);
  const finished = choices.some(({ finishReason }) => finishReason !== undefined);
  return {
    kind,
    editor: (request.headers.get('editor-version') ?? '-').replaceAll('/', '-').slice(0, MAX_NAME_LENGTH),
    language: textAt(asked, 'extra', 'language')?.slice(0, MAX_NAME_LENGTH) ?? 'unknown',
    model: textAt(asked, 'model') ?? engineOf(request.path),
    request: asked,
    response: answer,
    choices,
    complete: error === undefined || (error.by === 'client' && finished),
  };
}

/** Names come from clients and end up as keys and in file names. */
const MAX_NAME_LENGTH = 64;

/** Puts the pieces of each choice together, by its index. */
function choicesOf(chunks: readonly unknown[]): Choice[] {
  const choices = new Map<number, { index: number; text: string; finishReason: string | undefined }>();
  for (const chunk of chunks) {
    const list = at(chunk, 'choices');
    for (const piece of Array.isArray(list) ? list : []) {
      const given = at(piece, 'index');
      const index = typeof given === 'number' ? given : 0;
      const choice = choices.get(index) ?? { index, text: '', finishReason: undefined };
      // Ghost text has `text`, a chat's stream `delta`, a chat that is not streamed `message`.
      choice.text +=
        textAt(piece, 'text') ?? textAt(piece, 'delta', 'content') ?? textAt(piece, 'message', 'content') ?? '';
      choice.finishReason = textAt(piece, 'finish_reason') ?? choice.finishReason;
      choices.set(index, choice);
    }
  }
  return [...choices.values()].sort((one, other) => one.index - other.index);
}

function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = path.reduce(at, value);
  return typeof found === 'string' ? found : undefined;
}

/** A property of anything; undefined where there is none. */
function at(value: unknown, key: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    ? (value as Record<string, unknown>)[key]
    : undefined;
}
