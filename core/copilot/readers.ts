import type { CopilotEndpoint } from '../addon.ts';
import type { Answer } from './answer.ts';
import { readChat } from './read-chat.ts';
import { readMessages } from './read-messages.ts';
import { readResponses } from './read-responses.ts';

/** Puts what an event of a stream says, or an answer as a whole, into `answer`. What it does not know is passed over. */
export type AnswerReader = (answer: Answer, value: unknown) => void;

/** By protocol. */
const READERS: Record<CopilotEndpoint, AnswerReader> = {
  completions: readChat,
  chat: readChat,
  agents: readChat,
  responses: readResponses,
  messages: readMessages,
};

export function readerOf(endpoint: CopilotEndpoint): AnswerReader {
  return READERS[endpoint];
}
