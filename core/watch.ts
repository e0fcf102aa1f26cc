import path from 'node:path';
import { type FSWatcher, watch } from 'chokidar';

/** Saves come as several events, and big ones in several writes: wait until it has been quiet for so long. */
const SETTLE_MS = 40;

interface Watched {
  readonly files: ReadonlySet<string>;
  /** Folders in which any change counts: where a file may turn up that a failed build looked for. */
  readonly folders: ReadonlySet<string>;
}

/**
 * Watches the files that each script is made of, and says which scripts have to be built anew. It watches folders, not
 * inodes, so that a file may be rewritten, replaced by a rename, or deleted and made again.
 */
export class Watcher {
  readonly #onChange: (id: string) => void;
  readonly #watcher: FSWatcher;
  readonly #watched = new Map<string, Watched>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** `onChange` is called with a script's id, once for all events of one save. */
  constructor(onChange: (id: string) => void, onError: (error: unknown) => void) {
    this.#onChange = onChange;
    this.#watcher = watch([], {
      ignoreInitial: true,
      depth: 0,
      ignored: (file, stats) => stats?.isFile() === true && this.#idsOf(path.resolve(file)).length === 0,
    });
    this.#watcher.on('all', (_event, file) => this.#changed(path.resolve(file)));
    this.#watcher.on('error', onError);
  }

  /** Sets the files that make up `id`; `loose` asks for any change in their folders. */
  set(id: string, files: ReadonlySet<string>, loose = false): void {
    const folders = new Set([...files].map((file) => path.dirname(file)));
    this.#watched.set(id, { files, folders: loose ? folders : new Set() });
    // A file in a folder that is watched already was ignored until now: name it as well.
    this.#watcher.add([...folders, ...files]);
  }

  delete(id: string): void {
    this.#watched.delete(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  async close(): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer);
    await this.#watcher.close();
  }

  #changed(file: string): void {
    for (const id of this.#idsOf(file)) {
      clearTimeout(this.#timers.get(id));
      this.#timers.set(
        id,
        setTimeout(() => {
          this.#timers.delete(id);
          this.#onChange(id);
        }, SETTLE_MS),
      );
    }
  }

  #idsOf(file: string): string[] {
    const ids: string[] = [];
    for (const [id, { files, folders }] of this.#watched) {
      if (files.has(file) || folders.has(path.dirname(file))) ids.push(id);
    }
    return ids;
  }
}
