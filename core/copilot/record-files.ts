import { createHash } from 'node:crypto';
import type { Dirent } from 'node:fs';
import { opendir } from 'node:fs/promises';
import path from 'node:path';
import type { CountedAs } from '../addon.ts';
import { codeOf } from '../errors.ts';

/** What the name of a file of records says. */
export interface RecordName {
  /** One record as JSON; or one a line, all of a day. */
  readonly format: 'json' | 'ndjson';
  readonly isGzipped: boolean;
  /** What is left of writing one, when the process was killed. */
  readonly isPartial: boolean;
  /** Of a day's files of lines, from 0 on; 0 for others. */
  readonly part: number;
  /** The UTC date of what is in it. */
  readonly date: string;
  /** What is in it ended then or later, in milliseconds since the epoch, and before `untilMs`. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** When exchanges ended, in milliseconds since the epoch: `untilMs` is not in it. */
export interface RecordRange {
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A file of records on disk. */
export interface RecordFile extends RecordName {
  readonly path: string;
}

const DAY_MS = 86_400_000;
/** Files of one record that ended at the same time are named by times beside it; never by more than that. */
export const NAMED_BESIDE_MS = 1_000;

/** Where the records of a user lie, below the folder for logs: where the seed has what counts, and the rest beside it. */
export function recordFolder(user: string, as: CountedAs): string {
  return path.join('usage', segment(user), FOLDERS[as] ?? 'other');
}

const FOLDERS: Partial<Record<CountedAs, string>> = { turn: 'chat', completion: 'completions' };

/** `<UTC time>_<machine id, 10 characters>_<client address>_<editor>.json` */
export function jsonName(isoTime: string, machine: string, address: string, editor: string): string {
  const parts = [isoTime, machine.slice(0, 10), address, editor];
  // The time's colons become dashes, as Windows wants it.
  return `${parts.map((part) => segment(part.replaceAll(':', '-'))).join('_')}.json`;
}

/** `<UTC date>.ndjson`, and `<UTC date>.<part>.ndjson` when that has become too large. */
export function ndjsonName(date: string, part: number): string {
  return part === 0 ? `${date}.ndjson` : `${date}.${part}.ndjson`;
}

const JSON_NAME = /^(\d{4}-\d\d-\d\d)T(\d\d)-(\d\d)-(\d\d\.\d{3})\d{3}_.*\.json$/s;
const NDJSON_NAME = /^(\d{4}-\d\d-\d\d)(?:\.(\d+))?\.ndjson(\.gz)?$/;
/** What is being packed is named by the process; what is being written, by a UUID. */
const PARTIAL_NAME = /(?<=\.(?:json|gz))\.(?:\d+|[0-9a-f-]{36}\.tmp)$/;

/** Reads a file's name; undefined for one that no recorder gives. */
export function readRecordName(name: string): RecordName | undefined {
  const whole = name.replace(PARTIAL_NAME, '');
  const isPartial = whole !== name;
  const json = JSON_NAME.exec(whole);
  if (json !== null) {
    const [, date = '', hours, minutes, seconds] = json;
    const ms = Date.parse(`${date}T${hours}:${minutes}:${seconds}Z`);
    if (Number.isNaN(ms)) return undefined;
    return {
      format: 'json',
      isGzipped: false,
      isPartial,
      part: 0,
      date,
      fromMs: ms - NAMED_BESIDE_MS,
      untilMs: ms + NAMED_BESIDE_MS,
    };
  }
  const [, date = '', part = '0', gz] = NDJSON_NAME.exec(whole) ?? [];
  const fromMs = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(fromMs)) return undefined;
  const isGzipped = gz !== undefined;
  return { format: 'ndjson', isGzipped, isPartial, part: Number(part), date, fromMs, untilMs: fromMs + DAY_MS };
}

/**
 * All files below a folder for logs that may have records of exchanges that ended in a range, user by user; of each kind
 * in no order. Links are not followed, and what is named otherwise is passed over.
 *
 * @throws when a folder cannot be read; one that is missing is empty
 */
export async function* recordFiles(logs: string, range: RecordRange = ANY_TIME): AsyncGenerator<RecordFile> {
  const dates = { first: dateAt(range.fromMs - NAMED_BESIDE_MS), last: dateAt(range.untilMs + NAMED_BESIDE_MS) };
  for await (const user of await entries(path.join(logs, 'usage'))) {
    if (!user.isDirectory()) continue;
    for await (const kind of await entries(path.join(user.parentPath, user.name))) {
      if (!kind.isDirectory()) continue;
      for await (const file of await entries(path.join(kind.parentPath, kind.name))) {
        // Of a million, most are of other days.
        const date = file.name.slice(0, DATE_LENGTH);
        if (date < dates.first || date > dates.last) continue;
        const name = file.isFile() ? readRecordName(file.name) : undefined;
        if (name === undefined || name.untilMs <= range.fromMs || name.fromMs >= range.untilMs) continue;
        yield { ...name, path: path.join(file.parentPath, file.name) };
      }
    }
  }
}

const ANY_TIME: RecordRange = { fromMs: Number.NEGATIVE_INFINITY, untilMs: Number.POSITIVE_INFINITY };
const DATE_LENGTH = '2026-01-31'.length;

/** The UTC date, as names have it; before the first and after the last, what is so among texts. */
function dateAt(ms: number): string {
  const time = new Date(ms);
  if (Number.isNaN(time.getTime())) return ms < 0 ? '' : '~';
  return time.toISOString().slice(0, DATE_LENGTH);
}

/** Where the telemetry of a UTC date lies that a worker keeps in full, below the folder for logs. */
export function telemetryFile(date: string, worker: number): string {
  return path.join('telemetry', `telemetry_${worker === 1 ? date : `${date}.${worker}`}.ndjson`);
}

const TELEMETRY_NAME = /^telemetry_(\d{4}-\d\d-\d\d)(?:\.\d+)?\.ndjson$/;

/** All files of telemetry; the same goes for them. @throws when the folder cannot be read; one that is missing is empty */
export async function* telemetryFiles(logs: string): AsyncGenerator<Pick<RecordFile, 'path' | 'date'>> {
  for await (const file of await entries(path.join(logs, 'telemetry'))) {
    const [, date] = (file.isFile() && TELEMETRY_NAME.exec(file.name)) || [];
    if (date !== undefined) yield { date, path: path.join(file.parentPath, file.name) };
  }
}

/** So many are read at once: one by one, most of the time would be spent on the way. */
const ENTRIES_AT_ONCE = 256;

async function entries(folder: string): Promise<AsyncIterable<Dirent> | readonly Dirent[]> {
  try {
    return await opendir(folder, { bufferSize: ENTRIES_AT_ONCE });
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    return [];
  }
}

/** File systems take 255 bytes; a name of several segments has to fit in as well. */
const MAX_SEGMENT_BYTES = 80;

/** A name as one segment of a path. What could mean something there is percent-encoded, so that no two names meet. */
export function segment(name: string): string {
  // Neither "%" by itself nor "%~" is in any encoding: what has them meets no other name.
  if (name === '') return '%';
  const safe = name
    .replace(/[%/\\:*?"<>|\p{Cc}]/gu, (character) => encodeURIComponent(character).replaceAll('*', '%2A'))
    .replace(/^\.+$/, (dots) => '%2E'.repeat(dots.length));
  if (Buffer.byteLength(safe) <= MAX_SEGMENT_BYTES) return safe;
  const digest = createHash('sha256').update(name).digest('hex').slice(0, 24);
  return `${[...safe].slice(0, 10).join('')}%~${digest}`;
}
