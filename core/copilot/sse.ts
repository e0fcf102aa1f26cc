import { createParser } from 'eventsource-parser';

/** OpenAI's mark for the end of a stream; it is no event's content. */
const DONE = '[DONE]';

/** A line that is none of an event's could otherwise grow to the size of the body. */
const MAX_BUFFER_CHARACTERS = 16 * 1024 * 1024;

/**
 * True for a body that is a stream of server-sent events, whatever its content type says: Copilot has sent chats as
 * `application/json`.
 */
export function looksLikeEvents(contentType: string | undefined, text: string): boolean {
  return contentType?.startsWith('text/event-stream') === true || /^\s*(?:data|event|id|retry|):/.test(text);
}

/**
 * The data of each event, in order: parsed where it is JSON, as text where it is not. An event that the end of the text
 * cuts off counts with what is there of it.
 *
 * https://html.spec.whatwg.org/multipage/server-sent-events.html
 */
export function parseEvents(text: string): unknown[] {
  const events: unknown[] = [];
  const parser = createParser({
    maxBufferSize: MAX_BUFFER_CHARACTERS,
    onEvent: ({ data }) => {
      if (data !== DONE) events.push(parseJson(data));
    },
  });
  try {
    parser.feed(text);
    // The blank line that dispatches the last event may have been cut off.
    parser.feed('\n\n');
  } catch {
    // A line was longer than that: what has come before it counts.
  }
  return events;
}

/** A JSON value, or the text itself where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
