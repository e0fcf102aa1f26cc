import type { Choice } from '../addon.ts';
import { countAt, textAt } from './json.ts';

/** What an answer has said so far. Each protocol has a reader that puts its events in here. */
export class Answer {
  model: string | undefined;
  /** The server's word for what failed. */
  failure: string | undefined;
  /** It has been said that this is all. */
  finished = false;
  /** Undefined where the server has not said. */
  prompt: number | undefined;
  completion: number | undefined;
  cached = 0;
  reasoning = 0;
  /** Billionths of an AI credit. */
  nanoCredits: number | undefined;
  readonly #choices = new Map<number, ChoiceDraft>();

  choice(index: number): ChoiceDraft {
    const known = this.#choices.get(index);
    if (known !== undefined) return known;
    const draft = new ChoiceDraft(index);
    // More than anybody asks for: what comes beyond is put with the last.
    if (this.#choices.size >= MAX_CHOICES) return [...this.#choices.values()].at(-1) as ChoiceDraft;
    this.#choices.set(index, draft);
    return draft;
  }

  get choices(): Choice[] {
    return [...this.#choices.values()].sort((one, other) => one.index - other.index).map((draft) => draft.toChoice());
  }

  /** Something that the user, or a tool, gets to see has come. */
  get hasOutput(): boolean {
    return [...this.#choices.values()].some((draft) => draft.hasOutput);
  }

  /**
   * What Copilot says it charges, wherever it stands: with the usage, in a chunk of its own, or in the last event
   * (`copilot_usage.total_nano_aiu`).
   */
  readCharge(value: unknown): void {
    this.nanoCredits = countAt(value, 'copilot_usage', 'total_nano_aiu') ?? this.nanoCredits;
  }

  /** An error in an answer: `{error: {code, message}}`, or the two at the top. */
  readFailure(value: unknown): void {
    const said = textAt(value, 'error', 'code') ?? textAt(value, 'error', 'type') ?? textAt(value, 'error', 'message');
    this.failure ??= (said ?? textAt(value, 'code') ?? textAt(value, 'message') ?? 'error').slice(0, MAX_WORD_LENGTH);
  }
}

const MAX_CHOICES = 128;
const MAX_TOOL_CALLS = 1_024;
/** Words of servers end up as keys and on lines. */
export const MAX_WORD_LENGTH = 64;

/** One choice, as it grows. */
export class ChoiceDraft {
  readonly #text: string[] = [];
  readonly #toolCalls = new Map<string, { name: string; arguments: string[] }>();
  finishReason: string | undefined;

  constructor(readonly index: number) {}

  addText(piece: string | undefined): void {
    if (piece !== undefined && piece !== '') this.#text.push(piece);
  }

  /** `key` tells the calls of one choice apart. */
  addToolCall(key: string, name: string | undefined, piece: string | undefined): void {
    const known = this.#toolCalls.get(key);
    if (known === undefined && this.#toolCalls.size >= MAX_TOOL_CALLS) return;
    const call = known ?? { name: '', arguments: [] };
    this.#toolCalls.set(key, call);
    if (name !== undefined && name !== '') call.name = name;
    if (piece !== undefined && piece !== '') call.arguments.push(piece);
  }

  /** The whole of a call's arguments, which had come piece by piece or not at all. */
  setToolCall(key: string, name: string | undefined, whole: string): void {
    const call = this.#toolCalls.get(key);
    if (call !== undefined) call.arguments.length = 0;
    this.addToolCall(key, name, whole);
  }

  get hasOutput(): boolean {
    return this.#text.length > 0 || this.#toolCalls.size > 0;
  }

  get hasToolCalls(): boolean {
    return this.#toolCalls.size > 0;
  }

  toChoice(): Choice {
    return {
      index: this.index,
      text: this.#text.join(''),
      finishReason: this.finishReason?.slice(0, MAX_WORD_LENGTH),
      toolCalls: [...this.#toolCalls.values()].map(({ name, arguments: pieces }) => ({
        name,
        arguments: pieces.join(''),
      })),
    };
  }
}
