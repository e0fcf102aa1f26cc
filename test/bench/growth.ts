/** Whether cost grows as it should: the same work with little and with much of something. */
import { existsSync, linkSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { jsonName, recordFolder } from '../../core/copilot/record-files.ts';
import { ASKS, type Ask, askOfModel, withHeader } from './asks.ts';
import type { Connection } from './connection.ts';
import type { Contestant } from './contestant.ts';
import { insightDump, type Setting, shippedConfig } from './insight-dump.ts';
import { openManyConnections } from './open-connection.ts';
import { START } from './starts.ts';
import type { Member } from './team.ts';
import { askFor, throughput } from './throughput.ts';
import type { Scene, Work } from './work.ts';

const range = (many: number) => Array.from({ length: many }, (_, i) => i);
const JSON_16 = throughput('json', '2 KB of JSON', 'http/1.1', 16);

/** All are compared with the first. */
function growth(
  scene: Pick<Scene, 'name' | 'title' | 'about'>,
  contestants: readonly [Contestant, ...Contestant[]],
  works: readonly Work[],
): Scene {
  const [{ name: to }] = contestants;
  return {
    ...scene,
    contestants,
    works,
    ratios: [
      { measure: 'cpuMs', to },
      { measure: 'startMs', to },
    ],
  };
}

// ------------------------------------------------------------------------------------------------------------ users

const USERS = range(1_000).map((i) => `user${i}`);
const ASKERS = 16;

/** Opened once, since that takes longer than all the rest. */
const crowds = new WeakMap<Member, Promise<Connection[]>>();

const CROWD: Work = {
  ...JSON_16,
  name: 'crowd',
  title: `2 KB of JSON on ${USERS.length.toLocaleString('en')} connections in turn, ${ASKERS} at once`,
  async run(member, span) {
    const opening = crowds.get(member) ?? openManyConnections(member, ASKS.json.host, 'http/1.1', USERS.length);
    crowds.set(member, opening);
    const connections = await opening;
    const askers = range(ASKERS).map((asker) => connections.filter((_, i) => i % ASKERS === asker));
    return askFor(member, ASKS.json, span, askers);
  },
};

const ofUsers = (name: string, users: readonly string[]) =>
  insightDump({ name, about: '', config: shippedConfig(USERS), users, isRecording: true });

// ------------------------------------------------------------------------------------------------------------- logs

const RECORDS = 1_000_000;
const RECORD_USERS = 100;
const RECORD_DAYS = 30;
const DAY_MS = 86_400_000;

/** Many records of days that are over, as `logs/usage`; they are made once. */
function fillLogs(folder: string, scratch: string): void {
  const usage = path.join(scratch, 'usage');
  if (!existsSync(usage)) writeRecords(scratch);
  mkdirSync(path.join(folder, 'logs'), { recursive: true });
  symlinkSync(usage, path.join(folder, 'logs/usage'));
}

function writeRecords(logs: string): void {
  const nowMs = Date.now();
  for (const user of range(RECORD_USERS)) {
    const folder = path.join(logs, recordFolder(`user${user}`, 'turn'));
    mkdirSync(folder, { recursive: true });
    // Names are all that is read of them; links to one file are made ten times as fast, and take no room.
    const record = path.join(folder, 'record');
    writeFileSync(record, '{}\n');
    for (const i of range(RECORDS / RECORD_USERS)) {
      const ms = nowMs - (2 + (i % RECORD_DAYS)) * DAY_MS - i;
      const time = `${new Date(ms).toISOString().slice(0, -1)}000`;
      linkSync(record, path.join(folder, jsonName(time, 'a'.repeat(10), '127.0.0.1', 'vscode/1.106.2')));
    }
  }
}

/** With all addons, for one user. */
const recording = (name: string, more: Pick<Setting, 'prepare' | 'vary'> = {}) =>
  insightDump({ name, about: '', config: shippedConfig(['alice']), users: ['alice'], isRecording: true, ...more });

// ----------------------------------------------------------------------------------------------------------- addons

const HOOKED = 'let sum = 0; export function responseHeaders(flow) { sum += flow.response.status; }';
const UNHOOKED = 'export function websocketMessage() {}';

function ofAddons(name: string, many: number, script = HOOKED): Contestant {
  const files = Object.fromEntries(range(many).map((i) => [`addon${i}.ts`, script]));
  const config = `export default { addons: ${JSON.stringify(Object.keys(files))}, flowDetail: 0 };`;
  return insightDump({ name, about: '', config, files });
}

// ------------------------------------------------------------------------------------------------------------ cells

const EDITORS = 25;
const MODELS = 40;

/** As many kinds of requests as one user may be counted in. */
const inManyCells = (): readonly Ask[] =>
  range(MODELS).flatMap((model) =>
    range(EDITORS).map((editor) => withHeader(askOfModel(`model-${model}`), 'editor-version', `vscode/1.${editor}.0`)),
  );

export const GROWTH: readonly Scene[] = [
  growth(
    { name: 'users', title: 'Users', about: 'All addons; as many connections in both cases.' },
    [ofUsers('1 user', USERS.slice(0, 1)), ofUsers(`${USERS.length.toLocaleString('en')} users`, USERS)],
    [CROWD],
  ),
  growth(
    {
      name: 'logs',
      title: 'Records on disk',
      about: `All addons; the records are of ${RECORD_USERS} users and ${RECORD_DAYS} days, in the folders that the usage addon makes.`,
    },
    [recording('no record'), recording(`${RECORDS.toLocaleString('en')} records`, { prepare: fillLogs })],
    [JSON_16, START],
  ),
  growth(
    {
      name: 'addons',
      title: 'Addons',
      about: 'Addons that have a `responseHeaders` hook, and, in the last row, no hook that a request calls.',
    },
    [
      ofAddons('no addon', 0),
      ofAddons('1 addon', 1),
      ofAddons('5 addons', 5),
      ofAddons('20 addons', 20),
      ofAddons('20 addons without the hook', 20, UNHOOKED),
    ],
    [JSON_16],
  ),
  growth(
    {
      name: 'cells',
      title: 'What is counted',
      about: 'All addons; one user, all of whose requests are counted as the same, or by many editors and models.',
    },
    [recording('1 cell'), recording(`${(EDITORS * MODELS).toLocaleString('en')} cells`, { vary: inManyCells })],
    [JSON_16],
  ),
];
