import type { Answer, CopilotEndpoint } from 'insight-dump';
import type { BudgetsOptions } from './options.ts';
import { describeLimit, type Standing } from './standings.ts';

/** For people: what is used up, and when it is there again. */
export function refusalText(
  standing: Standing,
  { contact, timeZone }: Pick<BudgetsOptions, 'contact' | 'timeZone'>,
  secondsLeft: number,
): string {
  const minutes = Math.ceil(secondsLeft / 60);
  const left = minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
  const text = `Today's Copilot budget is used up: ${describeLimit(standing)}. It starts anew at 00:00 ${timeZone}, in ${left}.`;
  return contact === undefined ? text : `${text} ${contact}`;
}

/**
 * A refusal in the form of each API, with which clients show its text. VS Code reads `error.code` and `error.message`,
 * and shows them only if both are there (`getRateLimitMessage` in microsoft/vscode-copilot-chat); the SDKs of OpenAI and
 * Anthropic read `error.message`, and try again unless `x-should-retry` is false.
 *
 * https://platform.openai.com/docs/guides/error-codes, https://docs.claude.com/en/api/errors
 */
export function refusal(endpoint: CopilotEndpoint, message: string, secondsLeft: number): Answer {
  const error = { message, type: 'rate_limit_error', param: null, code: 'budget_exceeded' };
  return {
    status: 429,
    headers: {
      'content-type': 'application/json',
      'retry-after': String(secondsLeft),
      'x-should-retry': 'false',
      'x-insight-dump': 'BUDGET',
    },
    body: JSON.stringify(endpoint === 'messages' ? { type: 'error', error } : { error }),
  };
}
