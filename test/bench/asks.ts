/** What is asked for each answer. */
import {
  API_HOST,
  CHAT_TURN,
  COMPLETIONS_PATH,
  capture,
  chatRequest,
  completionRequest,
  GHOST,
  PROXY_HOST,
} from '../requests.ts';
import { ANSWER_HEADER, ANSWERS, type AnswerName } from './answers.ts';

/** A request, and what is to come back. */
export interface Ask {
  readonly host: string;
  readonly path: string;
  /** Without those that belong to a connection. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  readonly answerBytes: number;
}

/** A request as VS Code sends it, for that answer. */
function ask(answer: AnswerName, host: string, path: string, headersOf: string, body: string): Ask {
  const bytes = Buffer.from(body);
  const captured = Object.entries(capture(headersOf).headers).filter(([name]) => !name.startsWith(':'));
  return {
    host,
    path,
    headers: { ...Object.fromEntries(captured), 'content-length': String(bytes.length), [ANSWER_HEADER]: answer },
    body: bytes,
    answerBytes: Buffer.concat(ANSWERS[answer].chunks.map((chunk) => chunk())).length,
  };
}

/** The same with another header. */
export function withHeader(asked: Ask, name: string, value: string): Ask {
  return { ...asked, headers: { ...asked.headers, [name]: value } };
}

const chat = (answer: AnswerName, body: string) => ask(answer, API_HOST, '/chat/completions', CHAT_TURN, body);
const completion = (answer: AnswerName) =>
  ask(answer, PROXY_HOST, COMPLETIONS_PATH, GHOST, completionRequest('def add(x, y):\n    return '));

/** The JSON of a chat, asked of that model. */
export function askOfModel(model: string): Ask {
  return chat('json', chatRequest('What does this function do?', { stream: false, model }));
}

const LONG_PROMPT_BYTES = 100_000;

/** What is asked for each answer. */
export const ASKS: Readonly<Record<AnswerName, Ask>> = {
  json: askOfModel('gpt-4.1'),
  ghost: completion('ghost'),
  paced: completion('paced'),
  long: chat('long', chatRequest('Explain. '.repeat(LONG_PROMPT_BYTES / 9))),
  held: chat('held', chatRequest('What does this function do?')),
};
