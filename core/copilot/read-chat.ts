import type { Answer, ChoiceDraft } from './answer.ts';
import { at, countAt, listAt, textAt } from './json.ts';

/**
 * A chunk of a stream, or the whole, of OpenAI's chat completions and completions; Copilot's extensions speak it too.
 *
 * https://platform.openai.com/docs/api-reference/chat/streaming
 */
export function readChat(answer: Answer, chunk: unknown): void {
  // Some chunks have no choices: references, errors, confirmations, the usage at the end.
  for (const piece of listAt(chunk, 'choices')) readChoice(answer, piece);
  answer.model = textAt(chunk, 'model') || answer.model;
  readUsage(answer, at(chunk, 'usage'));
}

function readChoice(answer: Answer, piece: unknown): void {
  const choice = answer.choice(countAt(piece, 'index') ?? 0);
  // Ghost text has `text`, a chat's stream `delta`, a chat that is not streamed `message`.
  choice.addText(textAt(piece, 'text'));
  for (const said of [at(piece, 'delta'), at(piece, 'message')]) {
    choice.addText(textAt(said, 'content') ?? textAt(said, 'refusal'));
    for (const [i, call] of listAt(said, 'tool_calls').entries()) readCall(choice, call, i);
  }
  const finishReason = textAt(piece, 'finish_reason');
  if (finishReason === undefined) return;
  choice.finishReason = finishReason;
  answer.finished = true;
}

function readCall(choice: ChoiceDraft, call: unknown, position: number): void {
  choice.addToolCall(String(countAt(call, 'index') ?? position), {
    id: textAt(call, 'id') || undefined,
    name: textAt(call, 'function', 'name'),
    arguments: textAt(call, 'function', 'arguments'),
  });
}

function readUsage(answer: Answer, usage: unknown): void {
  answer.prompt = countAt(usage, 'prompt_tokens') ?? answer.prompt;
  answer.completion = countAt(usage, 'completion_tokens') ?? answer.completion;
  answer.cached = countAt(usage, 'prompt_tokens_details', 'cached_tokens') ?? answer.cached;
  answer.reasoning = countAt(usage, 'completion_tokens_details', 'reasoning_tokens') ?? answer.reasoning;
}
