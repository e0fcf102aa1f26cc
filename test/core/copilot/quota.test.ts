import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { quotaOf } from '../../../core/copilot/quota.ts';
import { Headers } from '../../../core/headers.ts';

const NOTHING = { entitlement: 0, percentRemaining: 0, overage: 0, overagePermitted: false, resetsAt: undefined };
const of = (headers: Record<string, string>, snapshots?: unknown) => ({
  ...quotaOf(new Headers(Object.entries(headers)), snapshots),
});

describe('quotas', () => {
  it('are read of the headers', () => {
    const quotas = of({
      'X-Quota-Snapshot-Chat': 'ent=-1&ov=0.0&ovPerm=false&rem=100.0&rst=2026-12-01T00%3A00%3A00Z',
      'x-quota-snapshot-premium_interactions': 'ent=300&ov=12.5&ovPerm=true&rem=0',
      'x-quota': 'ent=1',
    });
    assert.deepEqual(quotas, {
      chat: { ...NOTHING, entitlement: -1, percentRemaining: 100, resetsAt: '2026-12-01T00:00:00.000Z' },
      premium_interactions: { ...NOTHING, entitlement: 300, overage: 12.5, overagePermitted: true },
    });
  });

  it('are read of an event, which comes last', () => {
    const chat = {
      entitlement: '500',
      percent_remaining: 40,
      overage_count: 1,
      overage_permitted: true,
      reset_date: '2026-12-01',
    };
    const expected = { entitlement: 500, percentRemaining: 40, overage: 1, overagePermitted: true };
    assert.deepEqual(of({ 'x-quota-snapshot-chat': 'ent=1' }, { chat }), {
      chat: { ...expected, resetsAt: '2026-12-01T00:00:00.000Z' },
    });
  });

  it('are nothing where they make no sense', () => {
    assert.deepEqual(of({ 'x-quota-snapshot-a': 'ent=x&rem=Infinity&rst=never', 'x-quota-snapshot-b': '%%%' }), {
      a: NOTHING,
      b: NOTHING,
    });
    for (const odd of [null, 5, 'x', [], { chat: 5, other: null }]) assert.deepEqual(of({}, odd), {});
    assert.deepEqual(of({}, { chat: { entitlement: {}, reset_date: 5 } }), { chat: NOTHING });
  });

  it('are no more than there can be, and have names like any other', () => {
    const many = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`q${i}`, {}]));
    assert.equal(Object.keys(of({}, many)).length, 16);
    const quotas = quotaOf(undefined, JSON.parse('{"__proto__": {"entitlement": 5}}'));
    assert.deepEqual(Object.keys(quotas), ['__proto__']);
  });
});
