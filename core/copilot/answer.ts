import type { Choice } from '../addon.ts';
import { at, countAt, hasObjectAt, textAt } from './json.ts';

/** So much text and arguments of tool calls is kept of an answer, in characters. */
const KEEP_LIMIT = 8 * 1024 * 1024;
const MAX_CHOICES = 128;
const MAX_TOOL_CALLS = 1_024;
/** Words of servers end up as keys and on lines. */
export const MAX_WORD_LENGTH = 64;
/** What APIs allow for the name of a tool. */
const MAX_TOOL_NAME_LENGTH = 128;

/** What an answer has said so far. Each protocol has a reader that puts its events in here. */
export class Answer {
  model: string | undefined;
  /** The server's word for what failed. */
  failure: string | undefined;
  /** It has been said that this is all. */
  finished = false;
  /** It has been said that it was called off. */
  cancelled = false;
  /** There was more of it than is kept. */
  truncated = false;
  /** Undefined where the server has not said. */
  prompt: number | undefined;
  completion: number | undefined;
  cached = 0;
  reasoning = 0;
  /** Billionths of an AI credit. */
  nanoCredits: number | undefined;
  /** What it says of quotas, as it stands there. */
  quotas: unknown;
  readonly #choices = new Map<number, ChoiceDraft>();
  #room = KEEP_LIMIT;

  choice(index: number): ChoiceDraft {
    const known = this.#choices.get(index);
    if (known !== undefined) return known;
    // More than anybody asks for: what comes beyond is put with the last.
    if (this.#choices.size >= MAX_CHOICES) return [...this.#choices.values()].at(-1) as ChoiceDraft;
    const draft = new ChoiceDraft(index, (piece) => this.#keep(piece));
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
   * What Copilot adds to the events of each protocol: what it charges (`copilot_usage.total_nano_aiu`), wherever it
   * stands, with the usage, in a chunk of its own, or in the last event; and what is left of the quotas, where there are
   * no headers to say it.
   */
  readBilling(value: unknown): void {
    this.nanoCredits = countAt(value, 'copilot_usage', 'total_nano_aiu') ?? this.nanoCredits;
    this.quotas = at(value, 'copilot_quota_snapshots') ?? this.quotas;
  }

  /** An answer or an event with an error in it, in any protocol: `{error: {code, message}}`. */
  readError(value: unknown): void {
    if (hasObjectAt(value, 'error')) this.readFailure(value);
  }

  /** What failed: `{error: {code, message}}`, or the two at the top. */
  readFailure(value: unknown): void {
    const said = wordAt(value, 'error', 'code') ?? textAt(value, 'error', 'type') ?? textAt(value, 'error', 'message');
    this.failure ??= (said ?? wordAt(value, 'code') ?? textAt(value, 'message') ?? 'error').slice(0, MAX_WORD_LENGTH);
  }

  #keep(piece: string): string {
    const kept = piece.length > this.#room ? piece.slice(0, this.#room) : piece;
    this.#room -= kept.length;
    if (kept.length < piece.length) this.truncated = true;
    return kept;
  }
}

/** Codes of errors are words, or numbers as in `429`. */
function wordAt(value: unknown, ...path: readonly string[]): string | undefined {
  return textAt(value, ...path) ?? countAt(value, ...path)?.toString();
}

/** What an event says of a tool call. */
interface CallPiece {
  /** Tells two calls apart that have the same key: some models number all of them 0. */
  readonly id?: string | undefined;
  readonly name?: string | undefined;
  readonly arguments?: string | undefined;
}

interface CallDraft {
  id: string | undefined;
  name: string;
  arguments: string[];
}

/** One choice, as it grows. */
export class ChoiceDraft {
  readonly #keep: (piece: string) => string;
  readonly #text: string[] = [];
  readonly #calls: CallDraft[] = [];
  /** The one that a key stands for now. */
  readonly #callsByKey = new Map<string, CallDraft>();
  finishReason: string | undefined;

  /** @param keep cuts a piece down to what there is room for */
  constructor(
    readonly index: number,
    keep: (piece: string) => string,
  ) {
    this.#keep = keep;
  }

  addText(piece: string | undefined): void {
    if (piece !== undefined) this.#add(this.#text, piece);
  }

  /** `key` tells the calls of one choice apart. */
  addToolCall(key: string, { id, name, arguments: piece }: CallPiece): void {
    const call = this.#callAt(key, id);
    if (call === undefined) return;
    call.id ??= id;
    if (name !== undefined && name !== '') call.name = name.slice(0, MAX_TOOL_NAME_LENGTH);
    if (piece !== undefined) this.#add(call.arguments, piece);
  }

  /** The whole of a call's arguments, which had come piece by piece or not at all. */
  setToolCall(key: string, name: string | undefined, whole: string): void {
    const call = this.#callsByKey.get(key);
    const isKnown = call?.arguments.join('') === whole;
    if (call !== undefined && !isKnown) call.arguments.length = 0;
    this.addToolCall(key, { name, arguments: isKnown ? undefined : whole });
  }

  get hasOutput(): boolean {
    return this.#text.length > 0 || this.#calls.length > 0;
  }

  toChoice(): Choice {
    return {
      index: this.index,
      text: this.#text.join(''),
      finishReason: this.finishReason?.slice(0, MAX_WORD_LENGTH),
      toolCalls: this.#calls.map((call) => ({ name: call.name, arguments: call.arguments.join('') })),
    };
  }

  #callAt(key: string, id: string | undefined): CallDraft | undefined {
    const known = this.#callsByKey.get(key);
    const isOther = id !== undefined && known?.id !== undefined && known.id !== id;
    if (known !== undefined && !isOther) return known;
    if (this.#calls.length >= MAX_TOOL_CALLS) return undefined;
    const call: CallDraft = { id, name: '', arguments: [] };
    this.#calls.push(call);
    this.#callsByKey.set(key, call);
    return call;
  }

  #add(pieces: string[], piece: string): void {
    const kept = this.#keep(piece);
    if (kept !== '') pieces.push(kept);
  }
}
