import type { CopilotEndpoint } from '../addon.ts';
import type { Answer } from './answer.ts';
import { readChat } from './read-chat.ts';
import { readMessages } from './read-messages.ts';
import { readResponses } from './read-responses.ts';

/** Puts what an event of a stream says, or an answer as a whole, into `answer`. What it does not know is passed over. */
type AnswerReader = (answer: Answer, value: unknown) => void;

/** By protocol. */
const READERS: Record<CopilotEndpoint, AnswerReader> = {
  completions: readChat,
  chat: readChat,
  agents: readChat,
  responses: readResponses,
  messages: readMessages,
};

/** Reads an event of a stream, or an answer as a whole, in the endpoint's protocol and for what Copilot adds to it. */
export function readEvent(endpoint: CopilotEndpoint, answer: Answer, event: unknown): void {
  answer.readBilling(event);
  READERS[endpoint](answer, event);
  answer.readError(event);
}
