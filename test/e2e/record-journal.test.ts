import assert from 'node:assert/strict';
import { appendFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ask, openSession } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { type CliProcess, eventually, ProxyProcess, ROOT } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { startWorkers, workerPids } from '../workers.ts';

const CHAT = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
const ANOTHER_BOOT = '01234567-89ab-cdef-0123-456789abcdef';

function journals(proxy: CliProcess): string[] {
  const folder = proxy.path('logs/journal');
  return existsSync(folder) ? readdirSync(folder).sort() : [];
}

async function chat(proxy: ProxyProcess, count: number): Promise<void> {
  const session = await openSession(proxy, 'alice', API_HOST);
  for (let i = 0; i < count; i++) assert.equal((await ask(session, CHAT, chatRequest('a question'))).status, 200);
  session.close();
}

describe('the journal of records', () => {
  it('is gone when the proxy has stopped', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const proxy = await ProxyProcess.start({ upstream: fake });
    t.after(() => proxy.stop());
    await chat(proxy, 3);
    await proxy.recorded(3);
    assert.equal(journals(proxy).length, 1);
    assert.equal(await proxy.stop({ keep: true }), 0);
    assert.deepEqual(journals(proxy), []);
    assert.equal(proxy.records().size, 3);
  });

  it('of a proxy that was killed is gone after the next start, which touches no record', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const killed = await ProxyProcess.start({ upstream: fake });
    await chat(killed, 3);
    await killed.recorded(3);
    killed.kill('SIGKILL');
    await killed.ended;
    assert.equal(journals(killed).length, 1);
    const [deleted = ''] = killed.records().keys();
    rmSync(killed.path('logs/usage', deleted));

    const proxy = await ProxyProcess.start({ upstream: fake, folder: killed.folder });
    t.after(() => proxy.stop());
    assert.deepEqual(journals(proxy), []);
    assert.equal(proxy.records().size, 2);
    assert.doesNotMatch(proxy.output, /❌|power/);
  });

  it('brings back what a loss of power has taken, before it is counted', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const off = await ProxyProcess.start({ upstream: fake });
    await chat(off, 4);
    await off.recorded(4);
    off.kill('SIGKILL');
    await off.ended;
    // What the system would leave of it.
    const [journal = ''] = journals(off);
    const file = off.path('logs/journal', journal);
    const bytes = readFileSync(file, 'latin1');
    writeFileSync(file, bytes.replace(/boot \S+/, `boot ${ANOTHER_BOOT}`), 'latin1');
    const before = off.records();
    const [torn = '', missing = ''] = before.keys();
    writeFileSync(off.path('logs/usage', torn), '');
    rmSync(off.path('logs/usage', missing));
    rmSync(off.path('logs/metrics'), { recursive: true });

    const proxy = await ProxyProcess.start({ upstream: fake, folder: off.folder });
    t.after(() => proxy.stop());
    assert.deepEqual(proxy.records(), before);
    await proxy.said(/2 records are written again that were not on the disk when power was lost/);
    assert.deepEqual(journals(proxy), []);
    await proxy.metrics((day) => day.total_chat_turns === 4);
  });

  it('is one of each worker; one that replaces another looks after what that has left', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const proxy = await startWorkers(2, { upstream: fake });
    t.after(() => proxy.stop());
    const ofWorker = (number: number) => journals(proxy).filter((name) => name.startsWith(`usage.${number}.`));
    await eventually('both to have recorded', async () => {
      await chat(proxy, 1);
      return ofWorker(1).length === 1 && ofWorker(2).length === 1;
    });
    const [left] = ofWorker(2);
    const [other] = ofWorker(1);
    process.kill(workerPids(proxy).get(2) as number, 'SIGKILL');
    await proxy.said(/worker 2 is there again/, 0, 60_000);
    assert.ok(!journals(proxy).includes(left as string));
    assert.deepEqual(ofWorker(1), [other]);
    assert.equal(await proxy.stop({ keep: true }), 0);
    assert.deepEqual(journals(proxy), []);
  });

  it('loses nothing, and leaves nothing, when the addon is saved in the middle of the work', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const folder = path.join(ROOT, 'addons');
    const parts = ['usage.ts', ...readdirSync(path.join(folder, 'usage')).map((name) => `usage/${name}`)];
    const files = Object.fromEntries(
      parts.map((name) => [`own/${name}`, readFileSync(path.join(folder, name), 'utf8')]),
    );
    const config = `export default {
      addons: ['addons/auth.ts', 'own/usage.ts'], options: { auth: { users: ['alice'] } },
    };`;
    const proxy = await ProxyProcess.start({ upstream: fake, config, files });
    t.after(() => proxy.stop());
    let asked = 0;
    let isOver = false;
    const chatting = Array.from({ length: 4 }, async () => {
      for (; !isOver; asked++) await chat(proxy, 1);
    });
    const someMore = () => {
      const before = asked;
      return eventually('some more', () => asked > before + 10);
    };
    for (let save = 0; save < 3; save++) {
      await someMore();
      const since = proxy.output.length;
      appendFileSync(proxy.path('own/usage.ts'), '\n// saved\n');
      await proxy.said(/own\/usage\.ts reloaded/, since);
    }
    await someMore();
    isOver = true;
    await Promise.all(chatting);
    await proxy.recorded(asked);
    await eventually(
      () => `one journal, that of the last version; there are ${journals(proxy)}`,
      () => journals(proxy).length === 1,
    );
    assert.equal(await proxy.stop({ keep: true }), 0);
    assert.equal(proxy.records().size, asked);
    assert.deepEqual(journals(proxy), []);
    assert.doesNotMatch(proxy.output, /❌/);
  });
});
