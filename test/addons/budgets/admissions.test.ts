import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { noAdmissions, reserve, reserved, reserveOnSocket, settle } from '../../../addons/budgets/admissions.ts';
import { makeFlow } from '../../kit.ts';

const ALICE = { user: 'alice', groups: ['red', 'blue'] };

describe('what is being answered', () => {
  const ended = (agoMs: number) => {
    const flow = makeFlow();
    flow.timings.end = Date.now() - agoMs;
    return flow;
  };

  it('is reserved for the user, the groups and everyone, by its unit', () => {
    const admissions = noAdmissions();
    const flow = makeFlow();
    reserve(admissions, flow, ALICE, 'turns');
    reserveOnSocket(admissions, makeFlow(), { user: 'bob', groups: ['red'] });
    const count = (...[unit, subject]: [Parameters<typeof reserved>[1], Parameters<typeof reserved>[2]]) =>
      reserved(admissions, unit, subject);
    assert.equal(count('turns', { user: 'alice' }), 1);
    assert.equal(count('turns', { group: 'red' }), 2);
    assert.equal(count('turns', { group: 'blue' }), 1);
    assert.equal(count('turns', { everyone: true }), 2);
    assert.equal(count('completions', { everyone: true }), 0);
    settle(admissions, flow);
    assert.equal(count('turns', { user: 'alice' }), 0);
  });

  it('is forgotten some time after it has ended, if it was never told of', () => {
    const admissions = noAdmissions();
    reserve(admissions, ended(1_000), ALICE, 'turns');
    reserve(admissions, ended(3_000), ALICE, 'turns');
    assert.equal(reserved(admissions, 'turns', { user: 'alice' }), 1);
  });

  it('does not pile up where nothing has an answer', () => {
    const admissions = noAdmissions();
    for (let i = 0; i < 2_000; i++) reserve(admissions, ended(3_000), ALICE, 'turns');
    assert.ok(admissions.running.size <= 256, `${admissions.running.size}`);
  });
});
