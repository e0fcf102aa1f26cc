import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { type AddonTest, type FlowParts, makeFlow } from '../../kit.ts';
import { eventually, makeFolder } from '../../proxy-process.ts';
import { CHAT, COMPLETIONS, startCopy, startExample } from '../example.ts';

const teams = { alice: 'red', bob: 'red', carol: 'blue' };

const ANSWER = '{"choices":[{"index":0,"text":"x","finish_reason":"stop"}]}';

describe('count-by-team', () => {
  let logs: string;
  beforeEach(() => {
    logs = makeFolder();
  });
  afterEach(() => rmSync(logs, { recursive: true }));

  const run = (example: AddonTest, parts: FlowParts = {}) =>
    example.run(makeFlow({ url: CHAT, method: 'POST', response: { body: ANSWER }, ...parts }));
  const file = () => path.join(logs, 'teams.json');
  const read = () => JSON.parse(readFileSync(file(), 'utf8'));

  it('counts chats and completions of each team', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    for (const user of ['alice', 'bob', 'carol', 'alice']) await run(example, { user });
    await run(example, { user: 'bob', url: COMPLETIONS });
    await example.stop();
    assert.deepEqual(read().teams, { red: { chat: 3, completions: 1 }, blue: { chat: 1, completions: 0 } });
  });

  it('puts users without a team into one of their own', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams, others: 'guests' }, { logs });
    for (const user of ['dave', undefined]) await run(example, { user });
    await example.stop();
    assert.deepEqual(read().teams, { guests: { chat: 2, completions: 0 } });
  });

  it('takes the first group of users for their team where it is told of none', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    await run(example, { user: 'dave', groups: ['green', 'red'] });
    await run(example, { user: 'carol', groups: ['green'] });
    await example.stop();
    assert.deepEqual(Object.keys(read().teams), ['green', 'blue']);
  });

  it('takes nothing that all objects have for a user or a team', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams: { alice: '__proto__' } }, { logs });
    for (const user of ['alice', 'constructor', '__proto__', 'toString']) await run(example, { user });
    await example.stop();
    assert.deepEqual(Object.entries(read().teams), [
      ['__proto__', { chat: 1, completions: 0 }],
      ['others', { chat: 3, completions: 0 }],
    ]);
  });

  it('writes while it runs', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    await run(example);
    await eventually('the file', () => existsSync(file()));
  });

  it('writes once for all that come together', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    await Promise.all(Array.from({ length: 200 }, () => run(example)));
    await eventually('the file', () => existsSync(file()));
    const written = statSync(file()).ino;
    await sleep(1_200);
    assert.deepEqual([read().teams.red.chat, statSync(file()).ino], [200, written]);
  });

  it('does not wait to write when it ends', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    await run(example);
    const began = performance.now();
    await example.stop();
    assert.ok(performance.now() - began < 800);
  });

  it('writes again for what comes later', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    await run(example);
    await eventually('the first count', () => existsSync(file()));
    await run(example);
    await eventually('the second count', () => read().teams.red.chat === 2);
  });

  it('leaves the file alone in its folder, for its owner only', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    await run(example);
    await example.stop();
    assert.deepEqual([readdirSync(logs), statSync(file()).mode & 0o777], [['teams.json'], 0o600]);
  });

  it('goes on with its counts after a save', async (t) => {
    const example = await startCopy(t, 'count-by-team', { teams }, { logs });
    await run(example);
    await example.saveAgain();
    await run(example);
    await example.stop();
    assert.equal(read().teams.red.chat, 2);
  });

  it('says since when it counts', async (t) => {
    const before = Date.now();
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    await run(example);
    await example.stop();
    const since = Date.parse(read().since);
    assert.ok(since >= before && since <= Date.now(), read().since);
  });

  it('takes over a changed list of teams', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    await run(example);
    await example.configure({ teams: { alice: 'green' } });
    await run(example);
    await example.stop();
    assert.deepEqual(Object.keys(read().teams), ['red', 'green']);
  });

  for (const [what, parts, uncounted] of [
    ['was ruled out by another addon', {}, 'by test'],
    ['is no use of Copilot', { url: 'https://api.githubcopilot.com/models' }, undefined],
    ['was cut', { error: { by: 'upstream', code: 'ECONNRESET', message: '' } }, undefined],
  ] as const) {
    it(`does not count what ${what}`, async (t) => {
      const example = await startExample(t, 'count-by-team', { teams }, { logs });
      const flow = makeFlow({ url: CHAT, method: 'POST', response: { body: '{}' }, ...parts });
      if (uncounted !== undefined) flow.metadata.uncounted = uncounted;
      await example.run(flow);
      await example.stop();
      assert.deepEqual(readdirSync(logs), []);
    });
  }

  it('counts what the client hung up on after the last word', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    const body = 'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n';
    await run(example, { response: { body }, error: { by: 'client', code: 'CLIENT_CLOSED', message: '' } });
    await example.stop();
    assert.deepEqual(read().teams, { red: { chat: 1, completions: 0 } });
  });

  it('says when it cannot write, and loses nothing', async (t) => {
    const example = await startExample(t, 'count-by-team', { teams }, { logs });
    mkdirSync(file());
    await run(example);
    await eventually('the complaint', () => example.log.of('error').length > 0);
    assert.match(example.log.of('error')[0] ?? '', /^cannot write .*teams\.json: /);
    rmSync(file(), { recursive: true });
    await run(example);
    await example.stop();
    assert.equal(read().teams.red.chat, 2);
  });
});
