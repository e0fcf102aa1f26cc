/**
 * What Copilot answers at `/responses`: the events over SSE and WebSocket, and the response as a whole.
 *
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */

/** What an answer says, whatever its protocol. */
export interface Said {
  /** Pieces of its text; none for an answer that only calls tools. */
  readonly pieces: readonly string[];
  readonly model?: string | undefined;
  readonly calls?: readonly SaidCall[];
  /** AI credits in billionths, as the last event tells them. */
  readonly nanoCredits?: number | undefined;
}

export interface SaidCall {
  readonly name: string;
  /** Pieces of JSON. */
  readonly arguments: readonly string[];
}

export const RESPONSES_USAGE = {
  input_tokens: 120,
  input_tokens_details: { cached_tokens: 100 },
  output_tokens: 30,
  output_tokens_details: { reasoning_tokens: 8 },
  total_tokens: 150,
};

/** As it stands in the last event of a WebSocket, which has no headers to say it. */
export const QUOTA_SNAPSHOTS = {
  premium_interactions: {
    entitlement: '300',
    percent_remaining: 87.5,
    overage_count: 0,
    overage_permitted: false,
    reset_date: '2026-12-01T00:00:00Z',
  },
};

type Status = 'in_progress' | 'completed' | 'failed' | 'incomplete' | 'cancelled';

/** The response as a whole, as in its last event or without a stream. */
export function responseOf(said: Said, status: Status = 'completed', more: object = {}): object {
  const isOver = status !== 'in_progress';
  return {
    id: 'resp_fake',
    object: 'response',
    created_at: 1_763_800_000,
    status,
    model: said.model ?? 'gpt-5-codex',
    error: null,
    incomplete_details: null,
    parallel_tool_calls: true,
    tools: [],
    output: isOver ? itemsOf(said).map(({ item }) => item) : [],
    usage: isOver ? RESPONSES_USAGE : null,
    ...more,
  };
}

/** Its events, in order. */
export function responseEvents(said: Said, last: object = lastEventOf(said)): object[] {
  const parts = itemsOf(said).flatMap(({ item, begun, deltas }, output_index) => [
    { type: 'response.output_item.added', output_index, item: begun },
    // Servers write the id of an item anew in each event.
    ...deltas.map((delta, i) => ({ ...delta, output_index, item_id: `item_${output_index}_${i}` })),
    { type: 'response.output_item.done', output_index, item },
  ]);
  const begun = responseOf(said, 'in_progress');
  const all = [
    { type: 'response.created', response: begun },
    { type: 'response.in_progress', response: begun },
    ...parts,
    last,
  ];
  return all.map((event, sequence_number) => ({ ...event, sequence_number }));
}

export function lastEventOf(
  said: Said,
  status: Exclude<Status, 'in_progress'> = 'completed',
  more: object = {},
): object {
  return {
    type: `response.${status}`,
    response: responseOf(said, status, more),
    ...(said.nanoCredits !== undefined && { copilot_usage: { total_nano_aiu: said.nanoCredits, token_details: [] } }),
  };
}

interface Item {
  readonly item: object;
  readonly begun: object;
  readonly deltas: readonly object[];
}

function itemsOf({ pieces, calls = [] }: Said): Item[] {
  const reasoning = { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'Thinking…' }] };
  const thought = { type: 'response.reasoning_summary_text.delta', summary_index: 0, delta: 'Thinking…' };
  return [
    { item: reasoning, begun: { ...reasoning, summary: [] }, deltas: [thought] },
    ...(pieces.length === 0 ? [] : [messageOf(pieces)]),
    ...calls.map(callOf),
  ];
}

function messageOf(pieces: readonly string[]): Item {
  const part = { type: 'output_text', text: pieces.join(''), annotations: [] };
  const item = { type: 'message', id: 'msg_1', role: 'assistant', status: 'completed', content: [part] };
  const empty = { ...part, text: '' };
  return {
    item,
    begun: { ...item, status: 'in_progress', content: [] },
    deltas: [
      { type: 'response.content_part.added', content_index: 0, part: empty },
      ...pieces.map((delta) => ({ type: 'response.output_text.delta', content_index: 0, delta, logprobs: [] })),
      { type: 'response.output_text.done', content_index: 0, text: part.text, logprobs: [] },
      { type: 'response.content_part.done', content_index: 0, part },
    ],
  };
}

function callOf({ name, arguments: pieces }: SaidCall, i: number): Item {
  const item = { type: 'function_call', id: `fc_${i}`, call_id: `call_${i}`, name, arguments: pieces.join('') };
  return {
    item: { ...item, status: 'completed' },
    begun: { ...item, arguments: '', status: 'in_progress' },
    deltas: [
      ...pieces.map((delta) => ({ type: 'response.function_call_arguments.delta', delta })),
      { type: 'response.function_call_arguments.done', arguments: item.arguments },
    ],
  };
}
