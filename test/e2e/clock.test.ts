import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { pathToFileURL } from 'node:url';
import { ask, basic, curl, openSession } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { eventually, type MetricsDay, makeFolder, ProxyProcess, ROOT } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';

const PRELOAD = pathToFileURL(path.join(ROOT, 'test/fixtures/preload/clock.mjs'));
const HOUR_MS = 3_600_000;
const CHAT = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
const STREAM_MS = 600;

/** A proxy whose clock can be set, in hours from the true time. */
async function startProxy() {
  const fake = await startFakeCopilot();
  const folder = makeFolder({ clock: '0' });
  const proxy = await ProxyProcess.start({
    upstream: fake,
    folder,
    env: { NODE_OPTIONS: `--import=${PRELOAD}`, CLOCK_FILE: path.join(folder, 'clock') },
  });
  return {
    fake,
    proxy,
    set: (hours: number) => proxy.write('clock', String(hours * HOUR_MS)),
    async stop() {
      await proxy.stop();
      await fake.close();
    },
  };
}

const dayAfter = (hours: number) => new Date(Date.now() + hours * HOUR_MS).toISOString().slice(0, 10);

describe('a clock that is set', () => {
  for (const [what, hours] of [
    ['ahead', 50],
    ['back', -50],
  ] as const) {
    it(`${what} in the middle of an answer makes its record no longer and no shorter, and metrics count it by day`, async (t) => {
      const { fake, proxy, set, stop } = await startProxy();
      t.after(stop);
      const session = await openSession(proxy, 'alice', API_HOST);
      const chat = () => ask(session, CHAT, chatRequest('when'));
      await chat();
      fake.plan = () => ({ pieces: ['a', 'b', 'c', 'd'], delayMs: STREAM_MS / 6 });
      const count = fake.requests.length;
      const streamed = chat();
      await eventually('it is under way', () => fake.requests[count]?.sentAt.length === 2);
      set(hours);
      assert.equal((await streamed).status, 200);
      fake.plan = () => ({});
      for (let i = 0; i < 3; i++) await chat();
      const records = await proxy.recorded(5);
      assert.equal(new Set(proxy.records().keys()).size, 5);
      const tookMs = records.map((record) => Number.parseFloat(record['proxy-time-consumed']));
      for (const ms of tookMs) assert.ok(ms >= 0 && ms < 20_000, `${tookMs}`);
      assert.ok(
        tookMs.some((ms) => ms >= STREAM_MS / 2),
        `${tookMs}`,
      );

      const day = (date: string): MetricsDay | undefined => {
        try {
          return JSON.parse(readFileSync(proxy.path(`logs/metrics/copilot-usage_${date}.json`), 'utf8'));
        } catch {
          return undefined;
        }
      };
      // What had begun before counts by the time that has passed since.
      await eventually('both days', () => day(dayAfter(0))?.total_chat_turns === 2);
      await eventually('both days', () => day(dayAfter(hours))?.total_chat_turns === 3);
      session.close();
    });
  }

  it('back does not hold up what is looked at from time to time: a changed password counts', async (t) => {
    const { proxy, set, stop } = await startProxy();
    t.after(stop);
    const status = async (password: string) => {
      const args = ['-o', '/dev/null', '-w', '%{http_connect}', '--proxy-header'];
      const header = `Proxy-Authorization: ${basic('alice', password)}`;
      return (await curl(proxy, undefined, ...args, header, `https://${API_HOST}/models`)).stdout;
    };
    assert.equal(await status(proxy.password('alice')), '200');
    set(-50);
    proxy.write('logs/user_auth.json', JSON.stringify({ alice: 'another', bob: 'other' }));
    await eventually('the new one counts', async () => (await status('another')) === '200');
  });
});
