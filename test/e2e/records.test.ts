import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { UsageRecord } from '../../core/copilot/record.ts';
import { readRecords } from '../../core/copilot/record-reader.ts';
import { ask, openSession } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { CliProcess, eventually, makeFolder, ProxyProcess } from '../proxy-process.ts';
import { API_HOST, CHAT_TURN, capture, chatRequest, GHOST, GIT_COMMIT } from '../requests.ts';

const CHAT = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
const NDJSON = ['--set', 'usage.format=ndjson'];

async function withProxy(
  options: Omit<Parameters<typeof ProxyProcess.start>[0] & object, 'upstream'>,
  test: (proxy: ProxyProcess, fake: FakeCopilot) => Promise<void>,
): Promise<void> {
  const fake = await startFakeCopilot();
  try {
    const proxy = await ProxyProcess.start({ upstream: fake, ...options });
    try {
      await test(proxy, fake);
    } finally {
      await proxy.stop();
    }
  } finally {
    await fake.close();
  }
}

async function chat(proxy: ProxyProcess, text = 'hi'): Promise<void> {
  const session = await openSession(proxy, 'alice', API_HOST);
  assert.equal((await ask(session, CHAT, chatRequest(text))).status, 200);
  session.close();
}

async function read(proxy: CliProcess) {
  const records = readRecords(proxy.path('logs'), { fromMs: 0, untilMs: Number.POSITIVE_INFINITY });
  const all: UsageRecord[] = [];
  for await (const record of records) all.push(record);
  return { all, skipped: records.skipped };
}

describe('records as lines', () => {
  it('are the same as those in files by themselves, in one file a user, kind and day', () =>
    withProxy({ args: NDJSON }, async (proxy) => {
      for (const name of [GHOST, CHAT_TURN, GIT_COMMIT, CHAT_TURN]) {
        const { host, headers, body } = capture(name);
        const session = await openSession(proxy, 'alice', host);
        await ask(session, headers, JSON.stringify(body));
        session.close();
      }
      await eventually('the records', async () => (await read(proxy)).all.length === 4);
      const day = new Date().toISOString().slice(0, 10);
      const files = readdirSync(proxy.path('logs/usage'), { recursive: true, encoding: 'utf8' });
      assert.deepEqual(
        files.filter((file) => file.includes('.')).sort(),
        ['chat', 'completions', 'other'].map((kind) => `alice/${kind}/${day}.ndjson`),
      );
      const { all } = await read(proxy);
      const [turn] = all.filter(({ insight }) => insight.counted.as === 'turn');
      assert.deepEqual(turn?.request.content, capture(CHAT_TURN).body);
      const [commit] = all.filter(({ insight }) => insight.counted.as === 'commitMessage');
      assert.deepEqual([commit?.request.content, commit?.insight.choices], [undefined, undefined]);
    }));

  it('are whole in what a full disk leaves, and traffic goes on', () =>
    withProxy({ args: NDJSON, fileBlocks: 200 }, async (proxy) => {
      for (let i = 0; i < 6; i++) await chat(proxy, 'x'.repeat(20_000));
      await proxy.said(/cannot record: EFBIG/);
      await proxy.stop({ keep: true });
      const { all, skipped } = await read(proxy);
      assert.ok(all.length > 0 && all.length < 6, String(all.length));
      assert.equal(skipped, 0);
      await proxy.said(new RegExp(`${6 - all.length} exchanges could not be recorded so far`));
    }));

  it('survive SIGKILL, those that were told of, and go on behind what is torn', () =>
    withProxy({ args: NDJSON }, async (killed, fake) => {
      const session = await openSession(killed, 'alice', API_HOST);
      const chatting = Array.from({ length: 10 }, async () => {
        for (;;) await ask(session, CHAT, chatRequest('x'.repeat(5_000)));
      });
      for (const each of chatting) each.catch(() => {});
      await eventually('records', async () => (await read(killed)).all.length >= 50);
      killed.kill('SIGKILL');
      await killed.ended;
      session.destroy();
      const { all, skipped } = await read(killed);
      assert.ok(skipped <= 1, String(skipped));
      assert.ok(all.length >= (killed.output.match(/💬👄 alice chat \S+ 😄/g)?.length ?? 0));

      const proxy = await ProxyProcess.start({ upstream: fake, folder: killed.folder, args: NDJSON });
      await chat(proxy);
      await proxy.stop({ keep: true });
      assert.deepEqual(((after) => [after.all.length, after.skipped])(await read(proxy)), [all.length + 1, skipped]);
    }));

  it('are packed once their day is over, and read all the same', async (t) => {
    const line = JSON.stringify({
      insight: { user: 'alice', endMs: Date.parse('2024-03-05T12:00Z'), counted: { as: 'turn' } },
    });
    const folder = makeFolder({ 'logs/usage/alice/chat/2024-03-05.ndjson': `${line}\n` });
    const proxy = await ProxyProcess.start({ folder, args: [...NDJSON, '--set', 'usage.gzip'] });
    t.after(() => proxy.stop());
    const packed = proxy.path('logs/usage/alice/chat/2024-03-05.ndjson.gz');
    await eventually('the packed file', () => !existsSync(packed.slice(0, -3)) && existsSync(packed));
    assert.equal(gunzipSync(readFileSync(packed)).toString(), `${line}\n`);
    assert.equal((await read(proxy)).all.length, 1);
  });
});

describe('more records than may wait', () => {
  for (const args of [[], NDJSON]) {
    it(`are lost, which is said and counted, and those that wait are written (${args[1] ?? 'as it comes'})`, () =>
      withProxy({ args: [...args, '--set', 'usage.maxQueued=3'] }, async (proxy) => {
        writeFileSync(proxy.path('logs/usage'), '');
        for (let i = 0; i < 5; i++) await chat(proxy);
        await proxy.said(/cannot record: /);
        await proxy.said(/records are lost: \d wait for the disk/);
        assert.equal(proxy.output.match(/records are lost/g)?.length, 1);
        rmSync(proxy.path('logs/usage'));
        await proxy.said(/recording again; 2 exchanges could not be recorded/);
        await eventually('the others', async () => (await read(proxy)).all.length === 3);
        await proxy.stop({ keep: true });
        await proxy.said(/2 exchanges were not recorded since the proxy began/);
      }));
  }
});

describe('insight-dump prune', () => {
  const OLD = {
    'logs/usage/bob/chat/2024-03-05T12-00-00.000000_m_10.0.0.1_vscode-1.json': '{}',
    'logs/usage/alice/chat/2024-03-05T12-00-00.000000_m_10.0.0.1_vscode-1.json.123456': '{"torn',
    'logs/usage/alice/other/2024-03-05.1.ndjson.gz': 'x',
    'logs/telemetry/telemetry_2024-03-05.ndjson': '{}\n',
  };
  const today = new Date().toISOString().slice(0, 10);
  const KEPT = {
    [`logs/usage/alice/chat/${today}.ndjson`]: '{}\n',
    'logs/usage/alice/chat/2024-03-05-notes.txt': 'mine',
    'logs/metrics/copilot-usage_2024-03-05.json': '{}',
    [`logs/telemetry/telemetry_${today}.ndjson`]: '{}\n',
    'logs/telemetry/notes_2024-03-05.ndjson': 'mine',
    'elsewhere/chat/2024-03-05.ndjson': '{}\n',
  };
  const lay = () => {
    const folder = makeFolder({ ...OLD, ...KEPT });
    symlinkSync(`${folder}/elsewhere`, `${folder}/logs/usage/eve`);
    return folder;
  };
  const there = (folder: string, files: object) => Object.keys(files).filter((file) => existsSync(`${folder}/${file}`));

  it('deletes what is older and a recorder’s own, with the folders that are empty then', async (t) => {
    const folder = lay();
    t.after(() => rmSync(folder, { recursive: true }));
    const run = async (...args: string[]) => {
      const cli = new CliProcess({ folder, args: ['prune', ...args], listenByConfig: true });
      return [await cli.ended, cli.output] as const;
    };
    assert.deepEqual(await run('--days', '30', '--dry-run'), [
      0,
      '4 files with records from more than 30 days ago would be deleted, 0.0 MiB\n',
    ]);
    assert.deepEqual(there(folder, OLD), Object.keys(OLD));
    assert.deepEqual(await run('--days', '30'), [
      0,
      '4 files with records from more than 30 days ago are deleted, 0.0 MiB\n',
    ]);
    assert.deepEqual(there(folder, OLD), []);
    assert.deepEqual(there(folder, KEPT), Object.keys(KEPT));
    assert.deepEqual(readdirSync(`${folder}/logs/usage`).sort(), ['alice', 'eve']);
    assert.deepEqual(readdirSync(`${folder}/logs/usage/alice`), ['chat']);
    for (const [args, said] of [
      [[], /for how many days/],
      [['--days', '0'], /--days is 0: expected a whole number from 1/],
      [['--what'], /--what/],
    ] as const) {
      const [code, output] = await run(...args);
      assert.equal(code, 2);
      assert.match(output, said);
    }
  });

  it('deletes the folder for telemetry when it is empty, and not that for logs', async (t) => {
    const folder = makeFolder({ 'logs/telemetry/telemetry_2024-03-05.ndjson': '{}\n' });
    t.after(() => rmSync(folder, { recursive: true }));
    const cli = new CliProcess({ folder, args: ['prune', '--days', '1'], listenByConfig: true });
    assert.equal(await cli.ended, 0, cli.output);
    assert.equal(existsSync(`${folder}/logs/telemetry`), false);
    assert.equal(existsSync(`${folder}/logs`), true);
  });

  it('is done by the proxy itself, day by day, when it is told for how long records are kept', async (t) => {
    const proxy = await ProxyProcess.start({ folder: lay(), args: ['--set', 'usage.retentionDays=30'] });
    t.after(() => proxy.stop());
    await proxy.said(/🧹 4 files with records from more than 30 days ago are deleted/);
    assert.deepEqual(there(proxy.folder, KEPT), Object.keys(KEPT));
  });
});
