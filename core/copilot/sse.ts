import { createParser } from 'eventsource-parser';

/** OpenAI's mark for the end of a stream; it is no event's content. Copilot puts it behind Anthropic's streams, too. */
const DONE = '[DONE]';

/** A line that is none of an event's could otherwise grow to the size of the body. */
const MAX_BUFFER_CHARACTERS = 16 * 1024 * 1024;

/**
 * True for a body that is a stream of server-sent events, whatever its content type says: Copilot has sent chats as
 * `application/json`.
 *
 * @param text how it begins
 */
export function looksLikeEvents(contentType: string | undefined, text: string): boolean {
  return contentType?.startsWith('text/event-stream') === true || /^\s*(?:data|event|id|retry|):/.test(text);
}

/**
 * Takes a stream of server-sent events as it comes, in any pieces.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export class EventReader {
  /** A line was too long; nothing is taken after that. */
  overflowed = false;
  readonly #parser;

  /** @param onData given the data of each event, in order */
  constructor(onData: (data: string) => void) {
    this.#parser = createParser({
      maxBufferSize: MAX_BUFFER_CHARACTERS,
      onEvent: ({ data }) => {
        if (data !== DONE) onData(data);
      },
    });
  }

  feed(text: string): void {
    if (this.overflowed) return;
    try {
      this.#parser.feed(text);
    } catch {
      this.overflowed = true;
    }
  }

  /** An event that the end cuts off counts with what is there of it. */
  end(): void {
    // The blank line that dispatches the last event may have been cut off.
    this.feed('\n\n');
  }
}
