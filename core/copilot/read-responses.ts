import type { Answer } from './answer.ts';
import { at, countAt, hasObjectAt, listAt, textAt } from './json.ts';

/**
 * An event of OpenAI's responses, over SSE or WebSocket; or the response as a whole.
 *
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */
export function readResponses(answer: Answer, event: unknown): void {
  const type = textAt(event, 'type') ?? '';
  if (textAt(event, 'object') === 'response') readWhole(answer, event, '');
  else if (hasObjectAt(event, 'response')) readWhole(answer, at(event, 'response'), type);
  else if (type === 'error') {
    answer.readFailure(event);
    answer.finished = true;
  } else if (type === 'response.output_text.delta' || type === 'response.refusal.delta')
    answer.choice(0).addText(textAt(event, 'delta'));
  else if (type === 'response.function_call_arguments.delta' || type === 'response.custom_tool_call_input.delta')
    answer.choice(0).addToolCall(keyOf(event), { arguments: textAt(event, 'delta') });
  else if (type === 'response.output_item.added' || type === 'response.output_item.done')
    readCall(answer, at(event, 'item'), keyOf(event));
}

/** Items are numbered in the output; servers change their ids from event to event. */
function keyOf(event: unknown): string {
  return String(countAt(event, 'output_index') ?? textAt(event, 'item_id') ?? '');
}

function readCall(answer: Answer, item: unknown, key: string): void {
  const type = textAt(item, 'type');
  if (type !== 'function_call' && type !== 'custom_tool_call') return;
  const whole = textAt(item, 'arguments') ?? textAt(item, 'input') ?? '';
  const choice = answer.choice(0);
  if (whole === '') choice.addToolCall(key, { name: textAt(item, 'name') });
  else choice.setToolCall(key, textAt(item, 'name'), whole);
}

const FINAL = new Set(['completed', 'incomplete', 'failed', 'cancelled']);

/** @param type of the event that it came in; empty for an answer that was not streamed */
function readWhole(answer: Answer, response: unknown, type: string): void {
  answer.model = textAt(response, 'model') || answer.model;
  answer.readBilling(response);
  readUsage(answer, at(response, 'usage'));
  const status = textAt(response, 'status') ?? type.replace('response.', '');
  const isFinal = FINAL.has(status);
  // In a stream, the last event repeats what has come piece by piece.
  if ((isFinal || type === '') && !answer.hasOutput) readOutput(answer, response);
  if (!isFinal) return;
  answer.finished = true;
  answer.cancelled = status === 'cancelled';
  answer.choice(0).finishReason = textAt(response, 'incomplete_details', 'reason') ?? status;
  if (status === 'failed') answer.readFailure(response);
}

function readOutput(answer: Answer, response: unknown): void {
  for (const [i, item] of listAt(response, 'output').entries()) {
    if (textAt(item, 'type') === 'message')
      for (const part of listAt(item, 'content'))
        answer.choice(0).addText(textAt(part, 'text') ?? textAt(part, 'refusal'));
    readCall(answer, item, String(i));
  }
}

function readUsage(answer: Answer, usage: unknown): void {
  answer.prompt = countAt(usage, 'input_tokens') ?? answer.prompt;
  answer.completion = countAt(usage, 'output_tokens') ?? answer.completion;
  answer.cached = countAt(usage, 'input_tokens_details', 'cached_tokens') ?? answer.cached;
  answer.reasoning = countAt(usage, 'output_tokens_details', 'reasoning_tokens') ?? answer.reasoning;
}
