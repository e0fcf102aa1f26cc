/** Exchanges, as metrics count them. */
import fc from 'fast-check';
import type { CountedAs } from '../../../core/addon.ts';
import type { Insight } from '../../../core/copilot/record.ts';
import { anyCharacter } from '../../property/arbitraries.ts';

/** A turn of alice's, at noon. */
export function insight(parts: Partial<Insight> & { readonly as?: CountedAs } = {}): Insight {
  const { as = 'turn', ...given } = parts;
  const endMs = given.endMs ?? Date.parse('2026-01-31T12:00:00Z');
  return {
    id: 'one',
    user: 'alice',
    groups: [],
    endpoint: 'chat',
    kind: 'chat',
    transport: 'http',
    editor: 'vscode-1.96.2',
    plugin: 'copilot-chat/0.20',
    surface: 'ide',
    language: 'python',
    languageInferred: false,
    model: 'gpt-4.1',
    answeredBy: undefined,
    interaction: undefined,
    status: 200,
    outcome: 'complete',
    failure: undefined,
    truncated: false,
    tokens: { prompt: 100, completion: 20, cached: 10, reasoning: 5, estimated: false },
    credits: undefined,
    quota: {},
    startMs: endMs - 1_000,
    endMs,
    firstTokenMs: 200,
    tokensPerSecond: 25,
    counted: { as, reason: 'for the test' },
    client: '127.0.0.1',
    ...given,
  };
}

/** Names that clients may say, hostile ones among them. */
export const name = fc.oneof(
  fc.constantFrom(
    'vscode-1.96.2',
    '-',
    'other',
    '__proto__',
    'constructor',
    '=1+1',
    'a\u2028b',
    '\u001b[2J',
    '1',
    '10',
  ),
  fc.string({ unit: anyCharacter, maxLength: 8 }),
);

/** What servers and clocks may say of amounts. */
const amount = fc.oneof(
  fc.nat(100_000),
  fc.constantFrom(0, -1, 0.5, 1e300, Number.NaN, Number.POSITIVE_INFINITY, Number.MAX_SAFE_INTEGER),
);

const KINDS: readonly CountedAs[] = [
  'turn',
  'step',
  'subagent',
  'background',
  'commitMessage',
  'extension',
  'completion',
  'speculative',
  'nextEdit',
  'nothing',
];

/** Any exchange, however odd, that ended in a range of time. */
export function anyInsight(fromMs: number, untilMs: number, names = name): fc.Arbitrary<Insight> {
  return fc
    .record({
      id: fc.uuid(),
      user: fc.constantFrom('alice', 'bob', 'carol', '__proto__'),
      groups: fc.subarray(['red', 'blue', 'toString']),
      kind: fc.constantFrom('chat' as const, 'completions' as const),
      surface: fc.constantFrom('ide' as const, 'cli' as const, 'agent' as const, 'unknown' as const),
      as: fc.constantFrom(...KINDS),
      outcome: fc.constantFrom('complete' as const, 'cancelled' as const, 'failed' as const),
      editor: names,
      model: fc.option(names, { nil: undefined }),
      language: names,
      tokens: fc.record({
        prompt: amount,
        completion: amount,
        cached: amount,
        reasoning: amount,
        estimated: fc.boolean(),
      }),
      credits: fc.option(fc.double({ min: 0, max: 100, noNaN: true }), { nil: undefined }),
      endMs: fc.double({ min: fromMs, max: untilMs - 1, noNaN: true }),
      durationMs: fc.oneof(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.constantFrom(-5, 1e300)),
      firstTokenMs: fc.option(amount, { nil: undefined }),
    })
    .map(({ durationMs, ...parts }) => insight({ ...parts, startMs: parts.endMs - durationMs }));
}
