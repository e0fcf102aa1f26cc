/** What the server answers. Those who ask read it here, too, and can check each answer. */

/** The request header that names the answer. */
export const ANSWER_HEADER = 'x-bench-answer';

/** How the server answers. */
export interface Answer {
  readonly type: string;
  /** In the order in which they are written; each has the same length whenever it is made. */
  readonly chunks: readonly (() => Buffer)[];
  /** Between two chunks; at 0 the other work of the server has its turn. */
  readonly pauseMs: number;
  /** Whether all of it but the first chunk waits until the server is told to go on. */
  readonly isHeld?: true;
}

const STREAM = 'text/event-stream; charset=utf-8';

const bytesOf = (text: string) => {
  const bytes = Buffer.from(text);
  return () => bytes;
};
const event = (data: object) => `data: ${JSON.stringify(data)}\n\n`;
const ghost = (text: string, finish: string | null = null) =>
  event({ id: 'cmpl-1', model: 'gpt-41-copilot', choices: [{ index: 0, text, finish_reason: finish }] });
const delta = (content: string, finish: string | null = null) =>
  event({
    id: 'chatcmpl-1',
    model: 'gpt-4.1',
    choices: [{ index: 0, delta: { role: 'assistant', content }, finish_reason: finish }],
  });
const END = 'data: [DONE]\n\n';

/** So many chunks as `chunk` makes, the last of them with the end of the stream. */
const stream = (many: number, chunk: (i: number) => string, finish: string) =>
  Array.from({ length: many }, (_, i) => (i < many - 1 ? chunk(i) : `${finish}${END}`));

/** The time on a clock that all processes share, in nanoseconds, with as many digits as it ever has. */
const stamp = () => process.hrtime.bigint().toString().padStart(STAMP_DIGITS, '0');
const STAMP_DIGITS = 20;
/** Finds the times in what has come of a stamped stream. */
export const STAMP = /(?<="text":")\d{20}(?=")/g;

export const CHUNKS = 20;
export const PACE_MS = 50;
const JSON_BYTES = 2_048;
const LONG_BYTES = 50_000;

const jsonAnswer = (content: string) =>
  JSON.stringify({
    id: 'chatcmpl-1',
    model: 'gpt-4.1',
    choices: [{ index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' }],
    usage: { prompt_tokens: 20, completion_tokens: 500, total_tokens: 520 },
  });

export const ANSWERS = {
  /** 2 KB as a whole. */
  json: {
    type: 'application/json',
    chunks: [bytesOf(jsonAnswer('x'.repeat(JSON_BYTES - jsonAnswer('').length)))],
    pauseMs: 0,
  },
  /** Ghost text, as fast as it goes. */
  ghost: {
    type: STREAM,
    chunks: stream(CHUNKS, (i) => ghost(`line ${i}\n`), ghost('', 'stop')).map(bytesOf),
    pauseMs: 0,
  },
  /** The same at the pace of a model, with the time at which each chunk was written. */
  paced: {
    type: STREAM,
    chunks: [
      ...Array.from({ length: CHUNKS }, () => () => Buffer.from(ghost(stamp()))),
      bytesOf(`${ghost('', 'stop')}${END}`),
    ],
    pauseMs: PACE_MS,
  },
  /** 50 KB of a chat. */
  long: {
    type: STREAM,
    chunks: stream(CHUNKS, () => delta('word '.repeat(Math.round(LONG_BYTES / CHUNKS / 5))), delta('', 'stop')).map(
      bytesOf,
    ),
    pauseMs: 0,
  },
  /** A stream that stays open until the server is told to go on. */
  held: {
    type: STREAM,
    chunks: stream(CHUNKS, (i) => delta(`word ${i} `), delta('', 'stop')).map(bytesOf),
    pauseMs: PACE_MS,
    isHeld: true,
  },
} as const satisfies Record<string, Answer>;

/** Where the server sends and takes bodies of any size, instead of these answers. */
export const LARGE_PATH = '/large';
/** Where, in the clear, the server tells how many streams it holds, and goes on with them. */
export const HELD_PATH = '/held';
export const RELEASE_PATH = '/release';

export type AnswerName = keyof typeof ANSWERS;
