import type { Answer } from './answer.ts';
import { at, countAt, listAt, textAt } from './json.ts';

/**
 * An event of OpenAI's responses, over SSE or WebSocket; or the response as a whole.
 *
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */
export function readResponses(answer: Answer, event: unknown): void {
  const type = textAt(event, 'type') ?? '';
  answer.readCharge(event);
  if (textAt(event, 'object') === 'response') readWhole(answer, event, true);
  else if (type === 'error') {
    answer.readFailure(event);
    answer.finished = true;
  } else if (type === 'response.output_text.delta' || type === 'response.refusal.delta')
    answer.choice(0).addText(textAt(event, 'delta'));
  else if (type === 'response.function_call_arguments.delta')
    answer.choice(0).addToolCall(keyOf(event), undefined, textAt(event, 'delta'));
  else if (type === 'response.output_item.added' || type === 'response.output_item.done')
    readCall(answer, at(event, 'item'), keyOf(event));
  else if (at(event, 'response') !== undefined) readWhole(answer, at(event, 'response'), false);
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
  if (whole === '') choice.addToolCall(key, textAt(item, 'name'), undefined);
  else choice.setToolCall(key, textAt(item, 'name'), whole);
}

const FINAL = new Set(['completed', 'incomplete', 'failed', 'cancelled']);

/** @param isAnswer it was not streamed: its output stands in it, and nowhere else */
function readWhole(answer: Answer, response: unknown, isAnswer: boolean): void {
  answer.model = textAt(response, 'model') || answer.model;
  answer.readCharge(response);
  const usage = at(response, 'usage');
  answer.prompt = countAt(usage, 'input_tokens') ?? answer.prompt;
  answer.completion = countAt(usage, 'output_tokens') ?? answer.completion;
  answer.cached = countAt(usage, 'input_tokens_details', 'cached_tokens') ?? answer.cached;
  answer.reasoning = countAt(usage, 'output_tokens_details', 'reasoning_tokens') ?? answer.reasoning;
  const choice = answer.choice(0);
  if (isAnswer)
    for (const [i, item] of listAt(response, 'output').entries()) {
      for (const part of listAt(item, 'content')) choice.addText(textAt(part, 'text') ?? textAt(part, 'refusal'));
      readCall(answer, item, String(i));
    }
  const status = textAt(response, 'status') ?? '';
  if (!FINAL.has(status)) return;
  answer.finished = true;
  choice.finishReason = textAt(response, 'incomplete_details', 'reason') ?? status;
  if (status === 'failed') answer.readFailure(response);
}
