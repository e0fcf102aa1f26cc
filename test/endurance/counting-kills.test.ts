import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { before, describe, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { add, emptyDay, type Use, useOf } from '../../addons/metrics/day.ts';
import { dayText } from '../../addons/metrics/day-text.ts';
import { journalDates, journalFile, readJournal } from '../../addons/metrics/journal.ts';
import { rebuild } from '../../addons/metrics/rebuild.ts';
import { readRecords } from '../../core/copilot/record-reader.ts';
import { dateIn } from '../../core/time-zone.ts';
import { buildInto } from '../built.ts';
import { eventually, makeFolder } from '../proxy-process.ts';

const EXCHANGES = 10_000;
/** More than a process comes to before it is killed. */
const UNTIL_KILLED = 4_000;
/** After the last kill, however many there were before. */
const MIN_AT_LAST = 1_000;
const KILLS = 5;
/** What a run has counted before it is killed, at least: no more than it writes at first, or its next time is waited for. */
const SOME = 100;
/** Of a journal, on average. */
const LINE_BYTES = 500;
/** For what takes seconds on a machine that has nothing else to do. */
const LIMIT_MS = 60_000;

/** A process that records and counts exchanges in a folder. */
class Counting {
  readonly #process: ChildProcess;
  #output = '';

  constructor(program: string, logs: string, seed: number, many: number, addons = 'usage,metrics') {
    const args = [program, logs, String(seed), String(many), addons];
    this.#process = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#process.stdout?.on('data', (text) => {
      this.#output += text;
    });
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

/** All that was counted, in its order. */
async function journaled(logs: string): Promise<Use[]> {
  const folder = path.join(logs, 'metrics');
  const uses: Use[] = [];
  for (const date of await journalDates(folder))
    for await (const line of readJournal(journalFile(folder, date))) if ('n' in line) uses.push(line.use);
  return uses;
}

/** How long the journals are by now. To read them all the time would take the processor from who writes them. */
async function journalBytes(logs: string): Promise<number> {
  const folder = path.join(logs, 'metrics');
  const dates = await journalDates(folder);
  return dates.reduce((bytes, date) => bytes + statSync(journalFile(folder, date)).size, 0);
}

/** The ids of all that was recorded, if it is in any sum. */
async function recorded(logs: string): Promise<Set<string>> {
  const ids = new Set<string>();
  for await (const { insight } of readRecords(logs, { fromMs: 0, untilMs: Number.POSITIVE_INFINITY }))
    if (useOf(insight) !== undefined) ids.add(insight.id);
  return ids;
}

/** The days' files, by date, as they have to be by these uses. */
function filesOf(uses: readonly Use[]): Map<string, string> {
  const dates = [...new Set(uses.map(({ endMs }) => dateIn('UTC', endMs)))].sort();
  return new Map(
    dates.map((date) => {
      const day = emptyDay(date);
      for (const use of uses) if (dateIn('UTC', use.endMs) === date) add(day, use);
      return [date, withoutJournal(dayText(day, { timeZone: 'UTC', journal: 0 }))];
    }),
  );
}

/** The days' files as they are. Each has to be whole. */
function filesIn(logs: string): Map<string, string> {
  const folder = path.join(logs, 'metrics');
  const names = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
  return new Map(
    names.sort().map((name) => {
      const text = readFileSync(path.join(folder, name), 'utf8');
      return [JSON.parse(text).day, withoutJournal(text)];
    }),
  );
}

/** How many lines of the journal are in a file is no matter of what is counted. */
function withoutJournal(text: string): string {
  return text.replace(/"journal": \d+/, '');
}

describe('metrics of a process that is killed again and again', () => {
  let program: string;
  before(async () => {
    [program] = (await buildInto('counting', ['counting-process.ts'])) as [string];
  });

  it(`count each of ${EXCHANGES} exchanges once, and are counted from the records to the same byte`, async (t) => {
    const logs = folderFor(t);
    let seed = 1;
    for (; seed <= KILLS; seed++) {
      const bytes = await journalBytes(logs);
      const counting = new Counting(program, logs, seed, UNTIL_KILLED);
      await eventually(
        'some to be counted',
        async () => (await journalBytes(logs)) > bytes + SOME * LINE_BYTES,
        LIMIT_MS,
      );
      await sleep(100 * seed);
      await counting.kill();
      filesIn(logs);
    }
    const killed = (await journaled(logs)).length;
    const last = new Counting(program, logs, seed, Math.max(MIN_AT_LAST, EXCHANGES - killed));
    await last.done();
    await eventually(
      'all that was recorded to be counted',
      async () => {
        const counted = new Set((await journaled(logs)).map(({ id }) => id));
        return [...(await recorded(logs))].every((id) => counted.has(id));
      },
      LIMIT_MS,
    );
    await last.stop();

    const uses = await journaled(logs);
    assert.equal(new Set(uses.map(({ id }) => id)).size, uses.length, 'none is counted twice');
    const expected = filesOf(uses);
    assert.deepEqual(filesIn(logs), expected);
    const records = await recorded(logs);
    const unrecorded = uses.filter(({ id }) => !records.has(id));
    assert.deepEqual(unrecorded, [], 'what is counted is recorded');
    t.diagnostic(`${uses.length} counted, ${killed} of them before the last kill; ${records.size} recorded`);
    const dates = [...filesIn(logs).keys()];
    // Without the journal, which has them all.
    rmSync(path.join(logs, 'metrics'), { recursive: true });
    for (const date of dates) await rebuild(logs, date, 'UTC');
    assert.deepEqual(filesIn(logs), expected, 'by the records alone');
  });

  it('without records, are all that was in the journal when it was killed', async (t) => {
    const logs = folderFor(t);
    for (let seed = 1; seed <= 2; seed++) {
      const bytes = await journalBytes(logs);
      const counting = new Counting(program, logs, seed, UNTIL_KILLED, 'metrics');
      await eventually(
        'some to be counted',
        async () => (await journalBytes(logs)) > bytes + 50 * LINE_BYTES,
        LIMIT_MS,
      );
      await counting.kill();
      const expected = filesOf(await journaled(logs));
      const settling = new Counting(program, logs, seed, 0, 'metrics');
      await settling.done();
      await settling.stop();
      assert.deepEqual(filesIn(logs), expected);
    }
  });
});
