import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, it } from 'node:test';
import { readDay } from '../../addons/metrics/day-file.ts';
import { ask, openSession } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { journaledIds } from '../journals.ts';
import { eventually, type MetricsDay, ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { startWorkers, workerPids } from '../workers.ts';

describe('workers that are killed in the middle of their work', () => {
  it('lose nothing that was counted, and count nothing twice', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const proxy = await startWorkers(2, { upstream: fake });
    t.after(() => proxy.stop());
    let isOver = false;
    const chatting = Array.from({ length: 6 }, async () => {
      while (!isOver) {
        try {
          const session = await openSession(proxy, 'alice', API_HOST);
          const headers = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
          for (let i = 0; i < 5 && !isOver; i++)
            await Promise.race([ask(session, headers, chatRequest('q')), gone(session)]);
          session.close();
        } catch {
          // Who was connected to the one that is killed has to begin anew.
        }
      }
    });
    for (const number of [2, 1]) {
      const before = proxy.records().size;
      await eventually('some more', () => proxy.records().size > before + 10);
      const since = proxy.output.length;
      process.kill(workerPids(proxy).get(number) as number, 'SIGKILL');
      await proxy.said(new RegExp(`worker ${number} is there again`), since, 60_000);
    }
    const before = proxy.records().size;
    await eventually('they go on', () => proxy.records().size > before + 10);
    // Those of a primary that is killed end with it.
    const pids = [...workerPids(proxy).values()];
    proxy.kill('SIGKILL');
    isOver = true;
    await Promise.all(chatting);
    await eventually('the workers are gone', () => pids.every((pid) => !existsSync(`/proc/${pid}`)));
    const recorded = [...proxy.records().values()].map(({ insight }) => insight.id);

    // One process alone counts what they have left.
    const alone = await ProxyProcess.start({ upstream: fake, folder: proxy.folder });
    const folder = alone.path('logs/metrics');
    await eventually('each that was recorded is counted', async () => {
      const ids = new Set(await journaledIds(folder));
      return recorded.every((id) => ids.has(id));
    });
    assert.equal(await alone.stop({ keep: true }), 0);
    const counted = await journaledIds(folder);
    assert.equal(new Set(counted).size, counted.length, 'none is counted twice');
    assert.equal(new Set(recorded).size, recorded.length);
    const { day, isAhead } = await readDay(folder, (alone.metricsNow() as MetricsDay).day, assert.fail);
    const cells = [...day.users.values()].flatMap((person) => [...person.cells.values()]);
    assert.equal(isAhead, false);
    assert.equal(
      cells.reduce((sum, { exchanges }) => sum + exchanges, 0),
      counted.length,
    );
    t.diagnostic(`${counted.length} counted, ${recorded.length} recorded`);
  });
});

function gone(session: Awaited<ReturnType<typeof openSession>>): Promise<never> {
  return new Promise((_, reject) => session.once('close', () => reject(new Error('gone'))));
}
