import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import { it } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from '../proxy-process.ts';

const DEMO_LIMIT_MS = 15_000;

it('the demo shows a chat and a completion of two users, with the right counts, and ends by itself', async () => {
  const args = ['--import', 'tsx', path.join(ROOT, 'test/demo.ts')];
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: ROOT, timeout: DEMO_LIMIT_MS });
  for (const user of ['alice', 'bob']) {
    for (const kind of ['chat', 'completions']) {
      assert.equal(stdout.match(new RegExp(`^  usage/${user}/${kind}/.*\\.json$`, 'gm'))?.length, 1, `${user} ${kind}`);
    }
  }
  const metrics = JSON.parse(/The day’s metrics:\s+(\{[\s\S]*?\n {2}\})\n/.exec(stdout)?.[1] ?? '');
  assert.deepEqual([metrics.total_chat_turns, metrics.total_completions_count], [2, 2]);
  assert.deepEqual(
    Object.values(metrics.usage).map((user) => {
      const { chat_turns, completions_count } = user as Record<string, number>;
      return [chat_turns, completions_count];
    }),
    [
      [1, 1],
      [1, 1],
    ],
  );
});
