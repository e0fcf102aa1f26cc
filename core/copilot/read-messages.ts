import type { Answer } from './answer.ts';
import { at, countAt, listAt, textAt } from './json.ts';

/**
 * An event of Anthropic's messages, or the message as a whole.
 *
 * https://docs.anthropic.com/en/docs/build-with-claude/streaming
 */
export function readMessages(answer: Answer, event: unknown): void {
  switch (textAt(event, 'type')) {
    case 'message':
      readMessage(answer, event);
      break;
    case 'message_start':
      readMessage(answer, at(event, 'message'));
      break;
    case 'content_block_start':
      readBlock(answer, at(event, 'content_block'), keyOf(event), false);
      break;
    case 'content_block_delta':
      answer.choice(0).addText(textAt(event, 'delta', 'text'));
      if (textAt(event, 'delta', 'type') === 'input_json_delta')
        answer.choice(0).addToolCall(keyOf(event), { arguments: textAt(event, 'delta', 'partial_json') });
      break;
    case 'message_delta':
      readStop(answer, at(event, 'delta'));
      readUsage(answer, at(event, 'usage'));
      break;
    case 'message_stop':
      answer.finished = true;
      break;
    case 'error':
      answer.readFailure(event);
      answer.finished = true;
  }
}

function keyOf(event: unknown): string {
  return String(countAt(event, 'index') ?? 0);
}

function readMessage(answer: Answer, message: unknown): void {
  answer.model = textAt(message, 'model') || answer.model;
  answer.readBilling(message);
  for (const [i, block] of listAt(message, 'content').entries()) readBlock(answer, block, String(i), true);
  readStop(answer, message);
  readUsage(answer, at(message, 'usage'));
}

function readBlock(answer: Answer, block: unknown, key: string, isWhole: boolean): void {
  const choice = answer.choice(0);
  choice.addText(textAt(block, 'text'));
  if (textAt(block, 'type')?.endsWith('tool_use') !== true) return;
  const input = JSON.stringify(at(block, 'input') ?? {});
  // In a stream, it begins empty, and comes piece by piece.
  const isToCome = !isWhole && input === '{}';
  choice.addToolCall(key, { name: textAt(block, 'name'), arguments: isToCome ? undefined : input });
}

function readStop(answer: Answer, value: unknown): void {
  const reason = textAt(value, 'stop_reason');
  if (reason === undefined) return;
  answer.choice(0).finishReason = reason;
  answer.finished = true;
}

/**
 * What was read from the cache, or written to it, is not in `input_tokens`. The last event says all of it once more, or
 * the output only.
 */
function readUsage(answer: Answer, usage: unknown): void {
  const input = countAt(usage, 'input_tokens');
  const read = countAt(usage, 'cache_read_input_tokens');
  const written = countAt(usage, 'cache_creation_input_tokens');
  answer.cached = read ?? answer.cached;
  answer.completion = countAt(usage, 'output_tokens') ?? answer.completion;
  if (input === undefined) return;
  // Without the other two, it is no news: the first event has said it with them.
  if (!answer.prompt || read !== undefined || written !== undefined)
    answer.prompt = input + (read ?? 0) + (written ?? 0);
}
