import { stat } from 'node:fs/promises';
import path from 'node:path';

/**
 * What of a path counts: a file's `content`; which file or folder lies in its `place`; the `names` of the files in a
 * folder.
 */
export type Aspect = 'content' | 'place' | 'names';

/** What is asked of the file system. Authors' editors read this, and may not know Node's types. */
interface Stats {
  readonly dev: number;
  readonly ino: number;
  readonly size: number;
  readonly mtimeMs: number;
  readonly ctimeMs: number;
  isDirectory(): boolean;
}

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
    entry.stamp = await stampOf(entry, new Looks());
  }

  /** Leaves out one aspect of all. */
  drop(aspect: Aspect): void {
    for (const [key, entry] of this.#entries) if (entry.aspect === aspect) this.#entries.delete(key);
  }

  /** Whether anything is different now; `looks` may be shared with others that are asked at the same time. */
  async differ(looks = new Looks()): Promise<boolean> {
    return (await this.#changes(looks)).length > 0;
  }

  /** The same, noting how it is now. */
  async renew(): Promise<boolean> {
    const changes = await this.#changes(new Looks());
    for (const [entry, stamp] of changes) entry.stamp = stamp;
    return changes.length > 0;
  }

  async #changes(looks: Looks): Promise<(readonly [Entry, string])[]> {
    const now = await Promise.all(
      [...this.#entries.values()].map(async (entry) => [entry, await stampOf(entry, looks)] as const),
    );
    return now.filter(([entry, stamp]) => entry.stamp !== stamp);
  }
}

/** Looks at each file once, however many ask for it: scripts have most of their files in common. */
export class Looks {
  readonly #stats = new Map<string, Promise<Stats | undefined>>();

  /** Undefined for what is not there. */
  at(file: string): Promise<Stats | undefined> {
    const known = this.#stats.get(file);
    if (known !== undefined) return known;
    const look: Promise<Stats | undefined> = stat(file).catch(() => undefined);
    this.#stats.set(file, look);
    return look;
  }
}

async function stampOf({ aspect, path: file }: Entry, looks: Looks): Promise<string> {
  const stats = await looks.at(file);
  return stats === undefined ? '' : STAMP[aspect](stats).join();
}
