import assert from 'node:assert/strict';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import type { State as AuthState } from '../../addons/auth/context.ts';
import { networkOf } from '../../addons/auth/failures.ts';
import auth from '../../addons/auth.ts';
import budgets from '../../addons/budgets.ts';
import filter from '../../addons/filter.ts';
import privacy from '../../addons/privacy.ts';
import type { Addon } from '../../core/addon.ts';
import { AddonWorkers } from '../addon-workers.ts';
import { type AddonTest, makeFlow } from '../kit.ts';
import { eventually, makeFolder } from '../proxy-process.ts';
import { ask } from './auth/auth-stage.ts';

const ANSWER = '{"choices":[{"index":0,"message":{"content":"x"},"finish_reason":"stop"}]}';
const AGENT = { 'x-initiator': 'agent' };

/** What is told is heard by now. */
const heard = () => new Promise(setImmediate);

describe('in several workers', () => {
  let folder: string;
  let all: AddonWorkers;
  beforeEach(() => {
    folder = makeFolder();
  });
  afterEach(async () => {
    await all.end();
    rmSync(folder, { recursive: true });
  });

  const begin = async (addon: unknown, options: object, count = 2) => {
    all = new AddonWorkers([addon as Addon], {
      options: { ...options },
      logs: folder,
      confdir: folder,
      config: folder,
    });
    const tests: AddonTest[] = [];
    for (let number = 1; number <= count; number++) tests.push(await all.begin(number, count));
    await heard();
    return tests as [AddonTest, AddonTest, AddonTest];
  };
  const chat = async (worker: AddonTest, interaction: string, headers: Record<string, string> = {}) => {
    const url = 'https://api.githubcopilot.com/chat/completions';
    const all = { 'x-initiator': 'user', 'x-interaction-id': interaction, ...headers };
    const outcome = await worker.run(
      makeFlow({ url, method: 'POST', user: 'alice', headers: all, response: { body: ANSWER } }),
    );
    await heard();
    return outcome;
  };

  it('a question is a turn once, whichever of them has met it', async () => {
    const [one, two] = await begin(filter, {});
    const as = async (worker: AddonTest, id: string) => (await chat(worker, id)).exchange?.counted.as;
    assert.deepEqual(
      [await as(one, 'a'), await as(two, 'a'), await as(two, 'b'), await as(one, 'b')],
      ['turn', 'step', 'turn', 'step'],
    );
  });

  describe('budgets', () => {
    const LIMITS = { limits: [{ user: 'alice', turns: 3, action: 'refuse', at: [0.5, 1] }] };
    const status = async (worker: AddonTest, id: string, headers = {}) =>
      (await chat(worker, id, headers)).received?.status;
    const turnsInFile = () => {
      const file = path.join(folder, 'budgets.json');
      const { tallies } = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : { tallies: [] };
      return tallies.find(({ subject }: { subject: { user?: string } }) => subject.user === 'alice')?.used.turns;
    };

    it('hold over all of them, let what was let in go on, and are warned of once', async () => {
      const [one, two, three] = await begin(budgets, LIMITS, 3);
      assert.deepEqual([await status(one, 'a'), await status(two, 'b'), await status(three, 'c')], [200, 200, 200]);
      for (const worker of [one, two, three]) {
        assert.equal(await status(worker, 'd'), 429);
        assert.equal(await status(worker, 'a', AGENT), 200);
      }
      const warnings = [one, two, three].flatMap(({ log }) => log.of('warn'));
      assert.equal(warnings.length, 2, warnings.join('\n'));
    });

    it('are known to one that begins, and to the file', async () => {
      const [one, two] = await begin(budgets, LIMITS);
      all.deaf.add(1);
      await status(two, 'a');
      all.deaf.delete(1);
      // One that has taken the place of the first.
      const again = await all.begin(1, 2);
      await heard();
      await eventually('the file', () => turnsInFile() === 1);
      assert.deepEqual([await status(again, 'b'), await status(two, 'c'), await status(again, 'd')], [200, 200, 429]);
      await one.stop();
      await all.end();
      assert.equal(turnsInFile(), 3);
    });
  });

  it('wrong passwords count together, and clients are remembered by all', async () => {
    const [one, two] = await begin(auth, { users: ['alice'], rememberClients: true });
    const password = JSON.parse(readFileSync(path.join(folder, 'user_auth.json'), 'utf8')).alice;
    for (const worker of [one, two, two]) await ask(worker, ['alice', 'wrong'], '10.0.0.9');
    await heard();
    for (const { host } of [one, two]) {
      const state = host.chain.instances[0]?.context.state as AuthState | undefined;
      assert.equal(state?.failures.byNetwork.get(networkOf('10.0.0.9'))?.count, 3);
    }
    await ask(two, ['alice', password], '10.0.0.7');
    await heard();
    assert.equal((await ask(one, undefined, '10.0.0.7')).client.user, 'alice');
    await all.end();
    assert.deepEqual(JSON.parse(readFileSync(path.join(folder, 'usernames.json'), 'utf8')), { '10.0.0.7': 'alice' });
  });

  it('pseudonyms are the same, also when all of them begin to make some at once', async () => {
    const [one, two, three] = await begin(privacy, {}, 3);
    await Promise.all([one, two, three].map((worker) => worker.configure({ pseudonyms: true })));
    const names = await Promise.all([one, two, three].map(async (worker) => (await chat(worker, 'a')).exchange?.user));
    assert.match(names[0] ?? '', /^user-[0-9a-f]{16}$/);
    assert.equal(new Set(names).size, 1);
  });
});
