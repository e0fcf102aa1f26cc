import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { pipeline, type Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { codeOf } from '../errors.ts';
import { countAt, textAt } from './json.ts';
import type { UsageRecord } from './record.ts';
import { type RecordFile, type RecordRange, recordFiles } from './record-files.ts';

/** Records that are read while one goes through them. */
export interface UsageRecords extends AsyncIterable<UsageRecord> {
  /** How many were passed over so far: torn, damaged, not to be read, or no records at all. */
  readonly skipped: number;
}

/**
 * Reads all records of exchanges that ended in a range, in whichever format they are, user by user and in no other
 * order. Memory holds one record at a time. The files may be written to, packed and deleted meanwhile.
 *
 * @param logs the folder for logs
 * @throws while one goes through it: when a folder cannot be read
 */
export function readRecords(logs: string, range: RecordRange): UsageRecords {
  const skips = { count: 0 };
  return {
    get skipped() {
      return skips.count;
    },
    [Symbol.asyncIterator]: () => read(logs, range, skips),
  };
}

interface Skips {
  count: number;
}

async function* read(logs: string, range: RecordRange, skips: Skips): AsyncGenerator<UsageRecord> {
  const { fromMs, untilMs } = range;
  const packable = new Set<string>();
  for await (const file of recordFiles(logs, range)) {
    if (file.isPartial) continue;
    if (file.format === 'ndjson') {
      // It may have been packed since it was read.
      const unpacked = file.path.replace(/\.gz$/, '');
      if (packable.has(unpacked)) continue;
      packable.add(unpacked);
    }
    for await (const text of textsOf(file, skips)) {
      const record = parse(text);
      if (record === undefined) skips.count += 1;
      else if (record.insight.endMs >= fromMs && record.insight.endMs < untilMs) yield record;
    }
  }
}

/** What should be a record each. */
async function* textsOf(file: RecordFile, skips: Skips): AsyncGenerator<string | undefined> {
  try {
    if (file.format === 'json') yield await readFile(file.path, 'utf8');
    else if (file.isGzipped) yield* linesOf(gunzipped(file.path));
    else yield* linesOf(createReadStream(file.path));
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') skips.count += 1;
    // Deleted meanwhile; or packed, which is whole by the time that the other is gone.
    else if (file.format === 'ndjson' && !file.isGzipped)
      yield* textsOf({ ...file, path: `${file.path}.gz`, isGzipped: true }, skips);
  }
}

function gunzipped(file: string): Readable {
  return pipeline(createReadStream(file), createGunzip(), () => {});
}

/** No record is as long; what is longer does not become a text. */
const MAX_LINE_BYTES = 256 * 1024 * 1024;
const LINE_FEED = 10;

/**
 * Lines that are not empty; undefined for one that is too long. Only line feeds end them: `node:readline` would take the
 * separators U+2028 and U+2029 as well, which are in JSON as they are.
 */
async function* linesOf(stream: Readable): AsyncGenerator<string | undefined> {
  let parts: Buffer[] = [];
  let bytes = 0;
  const end = (): string | undefined => {
    const line = bytes > MAX_LINE_BYTES ? undefined : Buffer.concat(parts).toString();
    parts = [];
    bytes = 0;
    return line;
  };
  const add = (part: Buffer): void => {
    bytes += part.length;
    if (bytes > MAX_LINE_BYTES) parts = [];
    else parts.push(part);
  };
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    let from = 0;
    for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, from)) {
      add(chunk.subarray(from, at));
      from = at + 1;
      const line = end();
      if (line !== '') yield line;
    }
    add(chunk.subarray(from));
  }
  const last = end();
  if (last !== '') yield last;
}

/** Undefined for what is no record, in whole. */
function parse(text: string | undefined): UsageRecord | undefined {
  try {
    const value: unknown = JSON.parse(text ?? '');
    return isUsageRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

/** Whether it has what is counted by. */
function isUsageRecord(value: unknown): value is UsageRecord {
  const isSaid = [['user'], ['counted', 'as']].every((keys) => textAt(value, 'insight', ...keys) !== undefined);
  return isSaid && countAt(value, 'insight', 'endMs') !== undefined;
}
