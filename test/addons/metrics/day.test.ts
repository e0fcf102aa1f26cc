import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { add, addAcceptance, emptyDay, type Use, useOf } from '../../../addons/metrics/day.ts';
import { dayText } from '../../../addons/metrics/day-text.ts';
import type { Insight } from '../../../core/copilot/record.ts';
import { insight } from './insights.ts';

const NOON_MS = Date.parse('2026-01-31T12:00:00Z');

describe('a day', () => {
  const dayOf = (...some: readonly Insight[]) => {
    const day = emptyDay('2026-01-31');
    for (const each of some) add(day, useOf(each) as Use);
    return day;
  };
  const alice = (...some: readonly Insight[]) =>
    JSON.parse(dayText(dayOf(...some), { timeZone: 'UTC', journal: 0 })).usage.alice;

  it('counts as the seed only turns and completions', () => {
    const kinds = ['turn', 'step', 'subagent', 'background', 'completion', 'speculative', 'nextEdit'] as const;
    const {
      chat_turns,
      completions_count,
      chat,
      completions,
      insight: beside,
    } = alice(...kinds.map((as) => insight({ as })));
    assert.deepEqual([chat_turns, completions_count], [1, 1]);
    assert.deepEqual([chat, completions], [{ 'vscode-1.96.2': 1 }, { 'vscode-1.96.2': { python: 1 } }]);
    assert.deepEqual(beside.counted, Object.fromEntries(kinds.toSorted().map((as) => [as, 1])));
  });

  it('sums up tokens and credits, and says how many are estimates', () => {
    const tokens = { prompt: 3, completion: 2, cached: 1, reasoning: 0, estimated: true };
    const { insight: beside } = alice(insight({ credits: 0.1 }), insight({ credits: 0.2, tokens }));
    assert.deepEqual(beside.tokens, { prompt: 103, completion: 22, cached: 11, reasoning: 5, estimated_exchanges: 1 });
    assert.equal(beside.credits, 0.3);
    assert.equal(alice(insight()).insight.credits, null);
  });

  it('says when the first and the last of what counts ended', () => {
    const at = (ms: number, parts = {}) => insight({ endMs: NOON_MS + ms, ...parts });
    const { insight: beside } = alice(at(0), at(60_000), at(90_000, { as: 'nothing', outcome: 'failed' }), at(-1));
    assert.deepEqual([beside.first_seen, beside.last_seen], ['2026-01-31T11:59:59.999Z', '2026-01-31T12:01:00.000Z']);
  });

  it('counts errors, and cancelled exchanges whether they count or not', () => {
    const { insight: beside } = alice(
      insight({ as: 'nothing', outcome: 'failed' }),
      insight({ as: 'nothing', outcome: 'cancelled' }),
      insight({ as: 'turn', outcome: 'cancelled' }),
    );
    assert.deepEqual([beside.errors, beside.cancelled, beside.counted], [1, 2, { turn: 1 }]);
    assert.equal(useOf(insight({ as: 'nothing' })), undefined);
  });

  it('has times of what was complete, chats and completions apart', () => {
    const { latency } = alice(
      insight({ firstTokenMs: 200 }),
      insight({ outcome: 'cancelled', firstTokenMs: 9_000 }),
      insight({ as: 'completion', kind: 'completions', firstTokenMs: undefined }),
    ).insight;
    assert.ok(Math.abs(latency.chat.first_token_ms.p50 - 200) <= 2);
    assert.ok(Math.abs(latency.chat.first_token_ms.p99 - 200) <= 2);
    assert.ok(Math.abs(latency.completions.duration_ms.p90 - 1_000) <= 10);
    assert.equal(latency.completions.first_token_ms.p50, null);
  });

  it('takes what editors tell of completions, by language', () => {
    const day = dayOf(insight({ as: 'completion' }));
    const told = { id: 'two', user: 'alice', groups: [], endMs: NOON_MS, editor: 'vscode-1.96.2', language: 'python' };
    addAcceptance(day, { ...told, shown: 3, accepted: 2, rejected: 1, acceptedLines: 7 });
    const { completions_count, insight: beside } = JSON.parse(dayText(day, { timeZone: 'UTC', journal: 0 })).usage
      .alice;
    assert.equal(completions_count, 1);
    assert.deepEqual(beside.acceptance, { shown: 3, accepted: 2, rejected: 1, accepted_lines: 7 });
    assert.deepEqual(beside.counted, { completion: 1 });
  });

  it('is as large for a client that invents names as for any with a thousand', () => {
    const day = emptyDay('2026-01-31');
    for (let i = 0; i < 20_000; i++)
      add(day, useOf(insight({ editor: `${i}`.padEnd(64, 'x'), model: `${i % 7}` })) as Use);
    const text = dayText(day, { timeZone: 'UTC', journal: 0 });
    assert.ok(text.length < 1_000_000, `${text.length}`);
    assert.equal(JSON.parse(text).total_chat_turns, 20_000);
    assert.equal(JSON.parse(text).usage.alice.chat.other, 19_000);
  });
});
