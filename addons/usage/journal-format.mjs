/**
 * A journal of records, as it is on the disk: a line that says which boot of the system it was written in, and a frame
 * for each batch. A frame is a line with checksum and length, and that many bytes: a line of JSON that names the files,
 * and what is in them, one behind the other.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { crc32 } from 'node:zlib';

const LINE_FEED = 10;
const NAME = /^usage\.([1-9]\d{0,8})\.([1-9]\d{0,9})\.[0-9a-f]{8}\.journal$/;
const HEAD = /^insight-dump journal 1, boot ([0-9a-f-]+)$/;
const FRAME_HEAD = /^([0-9a-f]{8}) (\d{1,12})$/;
/** Of the lines that begin a journal and a frame. */
const MAX_LINE_BYTES = 128;

/**
 * Where the journals lie: beside the folder for records, in which every other name could be a user's.
 *
 * @param {string} logs
 */
export function journalFolder(logs) {
  return path.join(logs, 'journal');
}

/**
 * No two journals have the same, whoever had the process's id before.
 *
 * @param {number} worker its number
 * @param {number} pid
 */
export function journalName(worker, pid) {
  return `usage.${worker}.${pid}.${randomBytes(4).toString('hex')}.journal`;
}

/**
 * @param {string} name
 * @returns {{ worker: number, pid: number } | undefined} undefined for one that no journal has
 */
export function readJournalName(name) {
  const [, worker, pid] = NAME.exec(name) ?? [];
  return worker === undefined ? undefined : { worker: Number(worker), pid: Number(pid) };
}

/** What the system calls the time since it was started; `-` where it does not say. */
export function bootId() {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim();
  } catch {
    return '-';
  }
}

/** @param {string} boot */
export function headOf(boot) {
  return Buffer.from(`insight-dump journal 1, boot ${boot}\n`);
}

/**
 * @param {readonly { name: string, bytes: Uint8Array }[]} files by their names below the folder for logs
 */
export function frameOf(files) {
  const names = Buffer.from(`${JSON.stringify(files.map(({ name, bytes }) => [name, bytes.length]))}\n`);
  const whole = Buffer.concat([names, ...files.map(({ bytes }) => bytes)]);
  return Buffer.concat([Buffer.from(`${checksum(whole)} ${whole.length}\n`), whole]);
}

/**
 * @param {Buffer} journal all of it
 * @returns {{ boot: string, files: { name: string, bytes: Buffer }[] } | undefined} undefined for what is no journal;
 *   the files are those of whole frames, up to one that is torn
 */
export function readJournal(journal) {
  const head = lineAt(journal, 0);
  const [, boot] = HEAD.exec(head ?? '') ?? [];
  if (head === undefined || boot === undefined) return undefined;
  const files = [];
  for (let at = head.length + 1; ; ) {
    const line = lineAt(journal, at) ?? '';
    const [, sum, length = ''] = FRAME_HEAD.exec(line) ?? [];
    const begin = at + line.length + 1;
    const whole = journal.subarray(begin, begin + Number(length));
    if (sum === undefined || whole.length !== Number(length) || checksum(whole) !== sum) return { boot, files };
    files.push(...filesIn(whole));
    at = begin + whole.length;
  }
}

/** @param {Buffer} whole */
function* filesIn(whole) {
  let at = whole.indexOf(LINE_FEED) + 1;
  for (const [name, length] of JSON.parse(whole.toString('utf8', 0, at))) {
    yield { name, bytes: whole.subarray(at, at + length) };
    at += length;
  }
}

/**
 * @param {Buffer} bytes
 * @param {number} at
 */
function lineAt(bytes, at) {
  const end = bytes.subarray(at, at + MAX_LINE_BYTES).indexOf(LINE_FEED);
  return end === -1 ? undefined : bytes.toString('latin1', at, at + end);
}

/** @param {Uint8Array} bytes */
function checksum(bytes) {
  return crc32(bytes).toString(16).padStart(8, '0');
}
