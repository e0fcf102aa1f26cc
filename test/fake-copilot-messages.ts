/**
 * What Copilot answers at `/v1/messages`: the events, and the message as a whole.
 *
 * https://docs.anthropic.com/en/docs/build-with-claude/streaming
 */
import type { Said } from './fake-copilot-responses.ts';

/** Of the prompt, 20 tokens are new, 70 come from the cache, and 10 go there. */
const INPUT = { input_tokens: 20, cache_read_input_tokens: 70, cache_creation_input_tokens: 10 };
export const MESSAGES_USAGE = { ...INPUT, output_tokens: 25 };

/** The message as a whole, as without a stream. */
export function messageOf(said: Said): object {
  return {
    ...headOf(said),
    content: blocksOf(said).map(({ block }) => block),
    stop_reason: stopReasonOf(said),
    usage: MESSAGES_USAGE,
    ...chargeOf(said),
  };
}

interface MessageEvent {
  readonly type: string;
  readonly [field: string]: unknown;
}

/** Its events, in order. */
export function messageEvents(said: Said): MessageEvent[] {
  const blocks = blocksOf(said).flatMap(({ begun, deltas }, index) => [
    { type: 'content_block_start', index, content_block: begun },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ]);
  const delta = { stop_reason: stopReasonOf(said), stop_sequence: null };
  return [
    { type: 'message_start', message: { ...headOf(said), usage: { ...INPUT, output_tokens: 1 } } },
    { type: 'ping' },
    ...blocks,
    { type: 'message_delta', delta, usage: { output_tokens: MESSAGES_USAGE.output_tokens }, ...chargeOf(said) },
    { type: 'message_stop' },
  ];
}

function headOf({ model = 'claude-sonnet-4.5' }: Said): object {
  return { id: 'msg_fake', type: 'message', role: 'assistant', model, content: [], stop_reason: null };
}

function stopReasonOf({ calls = [] }: Said): string {
  return calls.length > 0 ? 'tool_use' : 'end_turn';
}

function chargeOf({ nanoCredits }: Said): object {
  return nanoCredits === undefined ? {} : { copilot_usage: { total_nano_aiu: nanoCredits } };
}

function blocksOf({ pieces, calls = [] }: Said) {
  const thinking = { type: 'thinking', thinking: 'Hm.', signature: 'c2ln' };
  const text = { type: 'text', text: pieces.join('') };
  return [
    {
      block: thinking,
      begun: { ...thinking, thinking: '', signature: '' } as object,
      deltas: [
        { type: 'thinking_delta', thinking: 'Hm.' },
        { type: 'signature_delta', signature: 'c2ln' },
      ] as object[],
    },
    ...(pieces.length === 0
      ? []
      : [
          {
            block: text,
            begun: { ...text, text: '' },
            deltas: pieces.map((each) => ({ type: 'text_delta', text: each })),
          },
        ]),
    ...calls.map(({ name, arguments: parts }, i) => ({
      block: { type: 'tool_use', id: `toolu_${i}`, name, input: JSON.parse(parts.join('')) },
      begun: { type: 'tool_use', id: `toolu_${i}`, name, input: {} },
      deltas: parts.map((partial_json) => ({ type: 'input_json_delta', partial_json })),
    })),
  ];
}
