import { lstat, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, recordFiles, telemetryFiles } from 'insight-dump';

const DAY_MS = 86_400_000;

export interface PruneOptions {
  /** Full days before today that are kept. */
  readonly days: number;
  readonly nowMs: number;
  /** Only say what would be deleted. */
  readonly isDry: boolean;
}

export interface Pruned {
  readonly files: number;
  readonly bytes: number;
  /** What could not be deleted, as the system says it; the rest was. */
  readonly failures: readonly Error[];
}

/**
 * Deletes records that are older, of exchanges and of telemetry, and the folders that are empty then. Only what a
 * recorder has written: by the names of files, and without following links.
 *
 * @throws when a folder cannot be read
 */
export async function prune(logs: string, { days, nowMs, isDry }: PruneOptions): Promise<Pruned> {
  const firstKept = new Date(nowMs - days * DAY_MS).toISOString().slice(0, 10);
  const emptied = new Set<string>();
  const failures: Error[] = [];
  let files = 0;
  let bytes = 0;
  for await (const file of keptBefore(firstKept, logs)) {
    if (file.date >= firstKept) continue;
    try {
      const { size } = await lstat(file.path);
      if (!isDry) await unlink(file.path);
      files += 1;
      bytes += size;
      emptied.add(path.dirname(file.path));
    } catch (error) {
      // Another was quicker.
      if (codeOf(error) !== 'ENOENT') failures.push(error as Error);
    }
  }
  if (!isDry) for (const folder of emptied) await removeEmpty(folder, logs);
  return { files, bytes, failures };
}

/** And some of that day and later. */
async function* keptBefore(date: string, logs: string) {
  yield* recordFiles(logs, { fromMs: Number.NEGATIVE_INFINITY, untilMs: Date.parse(date) });
  yield* telemetryFiles(logs);
}

/** The folder of a kind, and that of its user. */
async function removeEmpty(folder: string, logs: string): Promise<void> {
  try {
    await rmdir(folder);
    const above = path.dirname(folder);
    if (above !== path.resolve(logs)) await rmdir(above);
  } catch {
    // There is something left in it.
  }
}

/** In one line. */
export function describePruned({ files, bytes, failures }: Pruned, { days, isDry }: PruneOptions): string {
  const size = `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
  const what = `files with records from more than ${days} days ago`;
  const done = isDry ? `${files} ${what} would be deleted, ${size}` : `${files} ${what} are deleted, ${size}`;
  return failures[0] === undefined ? done : `${done}; ${failures.length} could not be: ${failures[0].message}`;
}
