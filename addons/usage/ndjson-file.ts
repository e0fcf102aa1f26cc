import { type FileHandle, open, stat } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, ndjsonName, type Worker } from 'insight-dump';

export interface LinesSettings {
  readonly maxFileBytes: number;
  readonly isSynced: boolean;
  readonly worker: Pick<Worker, 'number' | 'count'>;
  isClosed(file: string): boolean;
}

const LINE_FEED = 10;

/**
 * Appends lines to a day's file, or to the one after it if that is full. What a write that failed or was killed has left
 * of a line stays a line by itself.
 *
 * @returns the file
 * @throws when they could not be written; the file is as it was
 */
export async function appendLines(
  folder: string,
  date: string,
  lines: Uint8Array,
  { maxFileBytes, isSynced, isClosed, worker }: LinesSettings,
): Promise<string> {
  const file = await openPart(folder, date, worker, (name, bytes) => bytes < maxFileBytes && !isClosed(name));
  // It is opened and closed each time: a file that somebody has moved away would take records that nobody finds.
  const handle = await open(file, 'a+', 0o600);
  try {
    const { size } = await handle.stat();
    const begin = size === 0 || (await lastByte(handle, size)) === LINE_FEED ? '' : '\n';
    try {
      await handle.appendFile(begin === '' ? lines : Buffer.concat([Buffer.from(begin), lines]));
      if (isSynced) await handle.datasync();
    } catch (error) {
      await handle.truncate(size).catch(() => {});
      throw error;
    }
  } finally {
    await handle.close();
  }
  return file;
}

async function lastByte(handle: FileHandle, size: number): Promise<number | undefined> {
  const { buffer } = await handle.read(Buffer.alloc(1), 0, 1, size - 1);
  return buffer[0];
}

/** The first part of the day's file that may be appended to. Workers take turns in them: no two write to the same. */
async function openPart(
  folder: string,
  date: string,
  { number, count }: LinesSettings['worker'],
  isOpen: (file: string, bytes: number) => boolean,
): Promise<string> {
  for (let part = number - 1; ; part += count) {
    const file = path.join(folder, ndjsonName(date, part));
    const isPacked = (await sizeOf(`${file}.gz`)) !== undefined;
    if (!isPacked && isOpen(file, (await sizeOf(file)) ?? 0)) return file;
  }
}

/** Undefined for a file that is not there. */
async function sizeOf(file: string): Promise<number | undefined> {
  try {
    return (await stat(file)).size;
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}
