/** OpenAI's mark for the end of a stream; it is no event's content. Copilot puts it behind Anthropic's streams, too. */
const DONE = '[DONE]';

/** What is held of one line and of one event. An answer repeated as a whole in its last event is far below it. */
const MAX_EVENT_CHARACTERS = 4 * 1024 * 1024;

/** So much of a body's beginning says whether it is a stream of events. */
export const SNIFF_CHARACTERS = 16;

/** True for a content type that says so. */
export function saysEvents(contentType: string | undefined): boolean {
  return contentType?.startsWith('text/event-stream') === true;
}

/**
 * True for a body that is a stream of server-sent events, whatever its content type says: Copilot has sent chats as
 * `application/json`.
 *
 * @param text how it begins
 */
export function looksLikeEvents(contentType: string | undefined, text: string): boolean {
  return saysEvents(contentType) || /^\s*(?:data|event|id|retry|):/.test(text.slice(0, SNIFF_CHARACTERS));
}

/**
 * Takes a stream of server-sent events as it comes, in any pieces. Whatever they are, it takes time in proportion to
 * their length, and no more memory than one event may have.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */
export class EventReader {
  /** An event was too large, and passed over. */
  overflowed = false;
  readonly #onData: (data: string) => void;
  /** The line that has not ended, in pieces. */
  readonly #line = new Held();
  /** The data lines of the event that has not ended. */
  readonly #data = new Held();
  #endedInReturn = false;

  /** @param onData given the data of each event, in order */
  constructor(onData: (data: string) => void) {
    this.#onData = onData;
  }

  feed(text: string): void {
    if (text === '') return;
    // Of a line end of two characters, the first has ended the line already.
    const rest = this.#endedInReturn && text.startsWith('\n') ? text.slice(1) : text;
    this.#endedInReturn = text.endsWith('\r');
    const lines = rest.includes('\r') ? rest.replace(/\r\n?/g, '\n') : rest;
    let start = 0;
    for (let end = lines.indexOf('\n'); end !== -1; end = lines.indexOf('\n', start)) {
      const line = lines.slice(start, end);
      const isWhole = !this.#line.isBegun && line.length < MAX_EVENT_CHARACTERS;
      if (isWhole) this.#read(line);
      else {
        this.#line.add(line);
        this.#endLine();
      }
      start = end + 1;
    }
    if (start < lines.length) this.#line.add(lines.slice(start));
  }

  /** An event that the end cuts off counts with what is there of it. */
  end(): void {
    // The blank line that dispatches the last event may have been cut off.
    this.feed('\n\n');
  }

  #endLine(): void {
    if (this.#line.overflowed) this.#data.overflowed = true;
    this.#read(this.#line.take(''));
  }

  #read(line: string): void {
    if (line === '' && !this.#data.isBegun) return;
    if (line === '') this.#dispatch();
    else if (line.startsWith('data:')) this.#data.add(line.slice(line[5] === ' ' ? 6 : 5));
    else if (line === 'data') this.#data.add('');
  }

  #dispatch(): void {
    const { overflowed } = this.#data;
    const data = this.#data.take('\n');
    if (overflowed) this.overflowed = true;
    else if (data !== DONE) this.#onData(data);
  }
}

/** Pieces of text that belong together, to a bound. */
class Held {
  overflowed = false;
  #pieces: string[] = [];
  #characters = 0;

  get isBegun(): boolean {
    return this.overflowed || this.#pieces.length > 0;
  }

  add(piece: string): void {
    // Each counts for one more: many empty ones take room as well.
    this.#characters += piece.length + 1;
    if (this.#characters > MAX_EVENT_CHARACTERS) this.#overflow();
    else this.#pieces.push(piece);
  }

  /** All that is there; afterwards there is nothing. */
  take(separator: string): string {
    const text = this.#pieces.length === 1 ? (this.#pieces[0] as string) : this.#pieces.join(separator);
    this.overflowed = false;
    this.#pieces = [];
    this.#characters = 0;
    return text;
  }

  #overflow(): void {
    this.overflowed = true;
    this.#pieces = [];
  }
}
