import { mkdir, open, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { codeOf, describePath, messageOf, writeWholeFile } from 'insight-dump';

/** Half a million users fit in. */
const MAX_FILE_BYTES = 32 * 1024 * 1024;

/** Reads a file as UTF-8, or as Latin-1 where it cannot be that. @throws with the path in the message; `code` is kept */
export async function readTextFile(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > MAX_FILE_BYTES) throw new Error(`it is larger than ${MAX_FILE_BYTES} bytes`);
    const bytes = await readFile(file);
    try {
      return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    } catch {
      return bytes.toString('latin1');
    }
  } catch (error) {
    const told = new Error(`cannot read ${describePath(file)}: ${messageOf(error)}`, { cause: error });
    throw Object.assign(told, { code: codeOf(error) });
  }
}

/** Whether reading a file failed because there is none. */
export function isMissing(error: unknown): boolean {
  return codeOf(error) === 'ENOENT';
}

/**
 * Changes a file that the proxy and several commands may want to change at the same time: one after the other, and so
 * that whoever reads it finds it whole. A new file is for its owner only; one that is there keeps its mode.
 *
 * @param edit gets what it holds, nothing if there is none; undefined leaves it as it is
 */
export async function editTextFile(
  file: string,
  edit: (text: string) => string | undefined | Promise<string | undefined>,
): Promise<void> {
  const lock = `${file}.lock`;
  await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
  await takeLock(lock);
  try {
    const before = await readTextFile(file).catch((error) => {
      if (isMissing(error)) return undefined;
      throw error;
    });
    const after = await edit(before ?? '');
    if (after === undefined || after === before) return;
    await writeWholeFile(file, after, before === undefined ? { mode: 0o600 } : {});
  } finally {
    await rm(lock, { force: true });
  }
}

const LOCK_RETRY_MS = 25;
const LOCK_WAIT_MS = 4_000;
/** No edit takes that long: who made the lock is gone. */
const LOCK_STALE_MS = 3_000;

async function takeLock(lock: string): Promise<void> {
  const endMs = Date.now() + LOCK_WAIT_MS;
  for (;;) {
    try {
      await (await open(lock, 'wx', 0o600)).close();
      return;
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
    }
    const { mtimeMs = Date.now() } = await stat(lock).catch(() => ({ mtimeMs: undefined }));
    if (Date.now() - mtimeMs > LOCK_STALE_MS) await rm(lock, { force: true });
    else if (Date.now() > endMs)
      throw new Error(`${describePath(lock)} is there: another change of that file is under way`);
    else await sleep(LOCK_RETRY_MS);
  }
}
