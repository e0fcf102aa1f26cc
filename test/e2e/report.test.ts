import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import { ask, openSession } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { CliProcess, makeFolder, ProxyProcess } from '../proxy-process.ts';
import { CHAT_TURN, capture, GHOST } from '../requests.ts';

describe('the command report', () => {
  const run = async (folder: string, ...args: readonly string[]) => {
    const cli = new CliProcess({ args: ['report', ...args], folder });
    return { code: await cli.ended, output: cli.output };
  };

  it('tells what a proxy has counted, and makes its file again to the byte', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const proxy = await ProxyProcess.start({ upstream: fake });
    t.after(() => proxy.stop());
    for (const name of [GHOST, CHAT_TURN]) {
      const { host, headers, body } = capture(name);
      const session = await openSession(proxy, 'alice', host);
      await ask(session, headers, JSON.stringify(body));
      session.close();
    }
    await proxy.recorded(2);
    const { day } = await proxy.metrics((each) => each.total_chat_turns + each.total_completions_count === 2);
    await proxy.stop({ keep: true });
    const { code, output } = await run(proxy.folder, day);
    assert.equal(code, 0, output);
    assert.match(output, /^USER +TURNS .*\nalice +1 .*\n$/);
    const file = `logs/metrics/copilot-usage_${day}.json`;
    const live = proxy.read(file);
    rmSync(proxy.path(file));
    assert.deepEqual(await run(proxy.folder, day, '--rebuild'), { code, output });
    assert.equal(proxy.read(file), live);
  });

  it('says in one line what is missing or wrong, with the exit code for it', async (t) => {
    const folder = makeFolder();
    t.after(() => rmSync(folder, { recursive: true }));
    for (const [args, expected, code] of [
      [['2026-01-31'], /^insight-dump: report: nothing was counted on 2026-01-31, by \S+\n$/, 1],
      [['2026-01-31', '--rebuild'], /^insight-dump: report: there are no records of 2026-01-31 .*\n$/, 1],
      [['someday'], /^insight-dump: report: expected a day as in 2026-01-31, not "someday"\n$/, 2],
    ] as const) {
      const result = await run(folder, ...args);
      assert.match(result.output, expected);
      assert.equal(result.code, code);
    }
  });
});
