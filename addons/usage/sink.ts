import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { codeOf, type Worker } from 'insight-dump';
import { FileThread } from './file-thread.ts';
import { appendLines } from './ndjson-file.ts';
import type { Item } from './queue.ts';

/** Where records go. Another kind, say a database, would be one more of these. */
export interface Sink {
  /** How many writes may be under way at once. */
  readonly atOnce: number;
  /**
   * Writes records, all of them or none.
   *
   * @param items of one target
   * @param isSynced they are to survive a loss of power
   * @returns where they are
   * @throws when they cannot be written now
   */
  write(items: readonly Item[], isSynced: boolean): Promise<string>;
}

export interface SinkSettings {
  readonly logs: string;
  /** Files of lines that are as large are followed by another. */
  readonly maxFileBytes: number;
  readonly worker: Worker;
  /** Whether nothing may be appended to a file. */
  isClosed(file: string): boolean;
}

/** By the folder for logs. */
const threads = new Map<string, FileThread>();

function threadFor({ logs, worker }: Pick<SinkSettings, 'logs' | 'worker'>): FileThread {
  const thread = threads.get(logs) ?? new FileThread({ logs, worker: worker.number });
  threads.set(logs, thread);
  return thread;
}

/** Ends the thread for files there, in order. It may take so long. */
export async function endThread(logs: string, limitMs: number): Promise<void> {
  await threads.get(logs)?.end(limitMs);
}

export function sinks({ logs, ...lines }: SinkSettings): Record<Item['format'], Sink> {
  return {
    json: {
      atOnce: Number.POSITIVE_INFINITY,
      async write(items, isSynced) {
        const [{ folder, name, bytes }] = items as [Item];
        const file = path.join(logs, folder, name);
        await threadFor({ logs, worker: lines.worker }).write({ file, bytes, isSynced });
        return file;
      },
    },
    ndjson: {
      // Node has four threads for files, which look up names as well: some are left to the traffic.
      atOnce: 2,
      write(items, isSynced) {
        const [{ folder, name }] = items as [Item];
        const whole = path.join(logs, folder);
        const bytes = Buffer.concat(items.map((item) => item.bytes));
        return inFolder(whole, () => appendLines(whole, name, bytes, { ...lines, isSynced }));
      },
    },
  };
}

/** Records of one target, which are written together. */
export function byTarget(batch: readonly Item[]): Item[][] {
  const groups = new Map<string, Item[]>();
  for (const item of batch) {
    const target = path.join(item.folder, item.name);
    const group = groups.get(target);
    if (group === undefined) groups.set(target, [item]);
    else group.push(item);
  }
  return [...groups.values()];
}

/** Makes the folder where it is missing: most times, it is not. */
async function inFolder<T>(folder: string, write: () => Promise<T>): Promise<T> {
  try {
    return await write();
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    return await write();
  }
}
