import type { Stats } from 'node:fs';
import { stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * What of a path counts: a file's `content`; which file or folder lies in its `place`; the `names` of the files in a
 * folder.
 */
export type Aspect = 'content' | 'place' | 'names';

const STAMP: Record<Aspect, (stats: Stats) => readonly number[]> = {
  // The time of change of the inode cannot be set back, as that of the content can.
  content: (stats) => (stats.isDirectory() ? STAMP.place(stats) : [...STAMP.names(stats), stats.size]),
  place: ({ dev, ino }) => [dev, ino],
  names: ({ dev, ino, mtimeMs, ctimeMs }) => [dev, ino, mtimeMs, ctimeMs],
};

interface Entry {
  readonly aspect: Aspect;
  readonly path: string;
  stamp: string;
}

/**
 * Tells without reading whether files are still as they were: by what the file system says of them, so whatever way
 * they were changed in. Links are followed. What is not there has a stamp too.
 */
export class Stamps {
  readonly #entries = new Map<string, Entry>();

  /** Files and folders that these tell of. */
  get paths(): ReadonlySet<string> {
    return new Set([...this.#entries.values()].map((entry) => entry.path));
  }

  /** Whether a file's change would be seen here. */
  concern(file: string): boolean {
    return this.#entries.has(`content ${file}`) || this.#entries.has(`names ${path.dirname(file)}`);
  }

  /** Notes how it is now; what has been noted before stays. Take it before you read, so that no change is missed. */
  async take(aspect: Aspect, file: string): Promise<void> {
    const key = `${aspect} ${file}`;
    if (this.#entries.has(key)) return;
    const entry = { aspect, path: file, stamp: '' };
    this.#entries.set(key, entry);
    entry.stamp = await stampOf(entry);
  }

  /** Leaves out one aspect of all. */
  drop(aspect: Aspect): void {
    for (const [key, entry] of this.#entries) if (entry.aspect === aspect) this.#entries.delete(key);
  }

  /** Whether anything is different now. */
  async differ(): Promise<boolean> {
    return (await this.#changes()).length > 0;
  }

  /** The same, noting how it is now. */
  async renew(): Promise<boolean> {
    const changes = await this.#changes();
    for (const [entry, stamp] of changes) entry.stamp = stamp;
    return changes.length > 0;
  }

  async #changes(): Promise<(readonly [Entry, string])[]> {
    const now = await Promise.all(
      [...this.#entries.values()].map(async (entry) => [entry, await stampOf(entry)] as const),
    );
    return now.filter(([entry, stamp]) => entry.stamp !== stamp);
  }
}

async function stampOf({ aspect, path: file }: Entry): Promise<string> {
  const stats = await stat(file).catch(() => undefined);
  return stats === undefined ? '' : STAMP[aspect](stats).join();
}
