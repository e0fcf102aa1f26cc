import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { journalDates, journalFile, readJournal } from '../../addons/metrics/journal.ts';
import { rebuild } from '../../addons/metrics/rebuild.ts';
import { eventually, type MetricsDay, makeFolder } from '../proxy-process.ts';

const EXCHANGES = 10_000;
const KILLS = 5;
/** For what takes seconds on a machine that has nothing else to do. */
const LIMIT_MS = 60_000;

/** A process that records and counts exchanges in a folder. */
class Counting {
  readonly #process: ChildProcess;
  #output = '';

  constructor(logs: string, seed: number, many: number, addons = 'usage,metrics') {
    const script = path.join(import.meta.dirname, '../counting-process.ts');
    const args = ['--import', 'tsx', script, logs, String(seed), String(many), addons];
    this.#process = spawn(process.execPath, args, {
      stdio: ['pipe', 'pipe', 'inherit'],
      // Records are written one by one, to the disk.
      env: { ...process.env, UV_THREADPOOL_SIZE: '16' },
    });
    this.#process.stdout?.on('data', (text) => {
      this.#output += text;
    });
  }

  async begun(): Promise<void> {
    await eventually('the counting to begin', () => this.#output.includes('counting'), LIMIT_MS);
  }

  async done(): Promise<void> {
    await eventually('the counting to be done', () => this.#output.includes('counted'), LIMIT_MS);
  }

  async stop(): Promise<void> {
    this.#process.stdin?.end();
    await this.#ended();
  }

  async kill(): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.#ended();
  }

  async #ended(): Promise<void> {
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, 'exit');
  }
}

function folderFor(t: TestContext): string {
  const logs = makeFolder();
  t.after(() => rmSync(logs, { recursive: true }));
  return logs;
}

function recordsIn(logs: string): number {
  const folder = path.join(logs, 'usage');
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  return names.filter((name) => name.endsWith('.json')).length;
}

/** The files of the days, by name. Each of them has to be whole. */
function daysIn(logs: string): Map<string, string> {
  const folder = path.join(logs, 'metrics');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  const texts = new Map(names.map((name) => [name, readFileSync(path.join(folder, name), 'utf8')]));
  for (const text of texts.values()) JSON.parse(text);
  return texts;
}

function countedIn(logs: string): number {
  const users = [...daysIn(logs).values()].flatMap((text) => Object.values((JSON.parse(text) as MetricsDay).usage));
  return users.flatMap(({ insight }) => Object.values(insight.counted)).reduce((sum, count) => sum + count, 0);
}

describe('metrics of a process that is killed again and again', () => {
  it(`are, after ${EXCHANGES} exchanges, to the byte what is counted from the records`, async (t) => {
    const logs = folderFor(t);
    let seed = 1;
    for (let i = 0; i < KILLS; i++) {
      const before = recordsIn(logs);
      const counting = new Counting(logs, seed, EXCHANGES / KILLS);
      seed += 1;
      await counting.begun();
      await eventually('something to be recorded', () => recordsIn(logs) > before + 300, LIMIT_MS);
      await sleep(150 * i);
      await counting.kill();
      daysIn(logs);
    }
    const killed = recordsIn(logs);
    const last = new Counting(logs, seed, EXCHANGES - killed);
    await last.done();
    const records = recordsIn(logs);
    t.diagnostic(`${killed} records of killed runs, ${records} in all`);
    await eventually('all to be counted', () => countedIn(logs) === records, LIMIT_MS);
    await last.stop();
    const live = daysIn(logs);
    for (const name of live.keys()) {
      const [date = ''] = /\d{4}-\d\d-\d\d/.exec(name) ?? [];
      await rebuild(logs, date, 'UTC');
    }
    assert.deepEqual(daysIn(logs), live);
  });

  it('without records, are all that was in the journal when it was killed', async (t) => {
    const logs = folderFor(t);
    const folder = path.join(logs, 'metrics');
    const lines = async () => {
      let counted = 0;
      for (const date of await journalDates(folder))
        for await (const line of readJournal(journalFile(folder, date)))
          if ('n' in line && line.use.cell.counted_as !== 'nothing') counted += 1;
      return counted;
    };
    for (let seed = 1; seed <= 2; seed++) {
      const before = await lines();
      const counting = new Counting(logs, seed, EXCHANGES / KILLS, 'metrics');
      await counting.begun();
      await eventually('something to be counted', async () => (await lines()) > before + 50, LIMIT_MS);
      await counting.kill();
      const expected = await lines();
      const settling = new Counting(logs, seed, 0, 'metrics');
      await settling.stop();
      assert.equal(countedIn(logs), expected);
    }
  });
});
