import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { ask, openSession } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { journaledIds } from '../journals.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';

/** As long as a file's limit is so low, writes come to an end half way, as on a disk that is full. */
const FULL_BYTES = 100;

/** What is over the limit is to fail, and not to end the process by a signal (setrlimit(2), RLIMIT_FSIZE). */
const SPARED = "--import=data:text/javascript,process.on('SIGXFSZ',()=>{})";

async function limitFileSize(proxy: ProxyProcess, bytes: number | 'unlimited'): Promise<void> {
  await promisify(execFile)('prlimit', ['--pid', String(proxy.pid), `--fsize=${bytes}:unlimited`]);
}

const CHAT = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };

describe('when the disk is full', { skip: !existsSync('/usr/bin/prlimit') && 'prlimit is not installed' }, () => {
  it('traffic goes on, it is said once, nothing is torn, and recording and the log resume', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const proxy = await ProxyProcess.start({ upstream: fake, env: { NODE_OPTIONS: SPARED } });
    t.after(() => proxy.stop());
    const session = await openSession(proxy, 'alice', API_HOST);
    const chat = async () => assert.equal((await ask(session, CHAT, chatRequest('a question'))).status, 200);
    const files = () =>
      ['usage', 'metrics'].flatMap((folder) =>
        existsSync(proxy.path('logs', folder))
          ? readdirSync(proxy.path('logs', folder), { recursive: true, encoding: 'utf8' }).filter((name) =>
              /\.json/.test(name),
            )
          : [],
      );

    await limitFileSize(proxy, FULL_BYTES);
    for (let i = 0; i < 5; i++) await chat();
    await proxy.said(/❌ .*cannot record: .*; traffic goes on/);
    await proxy.said(/❌ .*cannot keep metrics: /);
    await eventually('no file is left half', () => files().length === 0);
    await proxy.said(/❌ cannot write logs\/insight-dump\.log: /);
    assert.equal(proxy.output.match(/❌/g)?.length, 3, proxy.output);

    await limitFileSize(proxy, 'unlimited');
    await chat();
    const [, lost] = await proxy.said(/recording again; (\d) exchanges could not be recorded/);
    assert.equal(lost, '0');
    await proxy.recorded(6);
    await proxy.metrics((day) => day.total_chat_turns >= 6);
    await eventually('the log says so', async () => {
      await chat();
      return /logs\/insight-dump\.log is written again/.test(proxy.output);
    });
    await eventually('the log goes on', () => proxy.read('logs/insight-dump.log').includes('is written again'));
    for (const line of proxy.read('logs/insight-dump.log').trim().split('\n')) JSON.parse(line);
    session.close();
  });
});

describe('when logs/ cannot be written', () => {
  it('traffic goes on, it is said once, and recording resumes', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const proxy = await ProxyProcess.start({ upstream: fake });
    t.after(() => proxy.stop());
    // A file where the folder should be stops root as well.
    writeFileSync(proxy.path('logs/usage'), '');
    writeFileSync(proxy.path('logs/metrics'), '');
    const session = await openSession(proxy, 'alice', API_HOST);
    const headers = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
    const body = JSON.stringify({ stream: true, messages: [] });
    for (let i = 0; i < 3; i++) assert.equal((await ask(session, headers, body)).status, 200);
    await proxy.said(/cannot record: /);
    await proxy.said(/cannot keep metrics: /);
    assert.equal(proxy.output.match(/cannot record/g)?.length, 1);
    rmSync(proxy.path('logs/usage'));
    rmSync(proxy.path('logs/metrics'));
    assert.equal((await ask(session, headers, body)).status, 200);
    const [, lost] = await proxy.said(/recording again; (\d) exchanges could not be recorded/);
    await proxy.recorded(4 - Number(lost));
    await proxy.metrics((day) => day.total_chat_turns === 4);
    session.close();
  });
});

describe('SIGKILL in the middle of the work', () => {
  it('leaves no torn record, and the next start counts each that is not counted yet', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const killed = await ProxyProcess.start({ upstream: fake });
    const session = await openSession(killed, 'alice', API_HOST);
    const headers = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };
    const body = JSON.stringify({ stream: true, messages: [] });
    const chatting = Array.from({ length: 10 }, async () => {
      for (;;) await ask(session, headers, body);
    });
    for (const chat of chatting) chat.catch(() => {});
    await killed.recorded(20);
    killed.kill('SIGKILL');
    await killed.ended;
    session.destroy();
    // Reads each of them as JSON.
    const recorded = [...killed.records().values()].map(({ insight }) => insight.id);
    assert.ok(recorded.length >= 20);
    // What was counted may be ahead of what was recorded, as it may be behind.
    const counted = await journaledIds(killed.path('logs/metrics'));
    const count = new Set([...recorded, ...counted]).size;

    const proxy = await ProxyProcess.start({ upstream: fake, folder: killed.folder });
    t.after(() => proxy.stop());
    const again = await openSession(proxy, 'alice', API_HOST);
    await ask(again, headers, body);
    again.close();
    await proxy.metrics((day) => day.total_chat_turns === count + 1);
  });
});
