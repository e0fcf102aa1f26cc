import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type FSWatcher, watch } from 'chokidar';

/** Saves come as several events, and big ones in several writes: wait until it has been quiet for so long. */
const SETTLE_MS = 40;

/**
 * A file that has not been watched before is looked at so long after, because the watcher needs a moment to begin: a
 * save in between would go unnoticed.
 */
const FIRST_LOOKS_MS = [100, 500, 1_500];
/** File times come from a clock that is a little behind. */
const CLOCK_LAG_MS = 10;

/** What a build was made of. */
export interface BuildInputs {
  readonly files: ReadonlySet<string>;
  /** When it began to read them, in milliseconds since the epoch. */
  readonly readAtMs: number;
  /** It failed: a change of any file in their folders may be what it needs. */
  readonly failed?: boolean;
}

/** How changes are noticed: by the file system's events, by looking again and again where it gives none, or not at all. */
export type WatchMode = 'events' | 'poll' | 'off';

const POLL_INTERVAL_MS = 500;

/**
 * Watches the files that each script is made of, and says which scripts have to be built anew. It watches folders, not
 * inodes, so that a file may be rewritten, replaced by a rename, or deleted and made again.
 */
export class Watcher {
  readonly #mode: WatchMode;
  readonly #onChange: (id: string) => void;
  readonly #watcher: FSWatcher;
  readonly #watched = new Map<string, BuildInputs & { folders: ReadonlySet<string> }>();
  /** Files that have been watched long enough. */
  readonly #familiar = new Set<string>();
  readonly #looks = new Set<NodeJS.Timeout>();
  readonly #timers = new Map<string, NodeJS.Timeout>();

  /** `onChange` is called with a script's id, once for all events of one save. */
  constructor(mode: WatchMode, onChange: (id: string) => void, onError: (error: unknown) => void) {
    this.#mode = mode;
    this.#onChange = onChange;
    this.#watcher = watch([], {
      usePolling: mode === 'poll',
      interval: POLL_INTERVAL_MS,
      ignoreInitial: true,
      depth: 0,
      ignored: (file, stats) => stats?.isFile() === true && this.#idsOf(path.resolve(file)).length === 0,
    });
    this.#watcher.on('all', (_event, file) => this.#changed(path.resolve(file)));
    this.#watcher.on('error', onError);
  }

  /** Sets what makes up `id`. */
  set(id: string, inputs: BuildInputs): void {
    if (this.#mode === 'off') return;
    const { files } = inputs;
    const folders = new Set([...files].map((file) => path.dirname(file)));
    this.#watched.set(id, { ...inputs, folders });
    // A file in a folder that is watched already was ignored until now: name it as well.
    this.#watcher.add([...folders, ...files]);
    const strange = [...files].filter((file) => !this.#familiar.has(file));
    if (strange.length > 0) for (const ms of FIRST_LOOKS_MS) this.#lookLater(id, strange, ms);
  }

  delete(id: string): void {
    this.#watched.delete(id);
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  async close(): Promise<void> {
    for (const timer of [...this.#timers.values(), ...this.#looks]) clearTimeout(timer);
    await this.#watcher.close();
  }

  #lookLater(id: string, files: readonly string[], ms: number): void {
    const timer = setTimeout(async () => {
      this.#looks.delete(timer);
      for (const file of files) {
        this.#familiar.add(file);
        const { readAtMs = Number.POSITIVE_INFINITY, failed = false } = this.#watched.get(id) ?? {};
        const changedMs = (await stat(file).catch(() => undefined))?.ctimeMs;
        // What a failed build looked for may never have been there.
        if (changedMs === undefined ? !failed : changedMs > readAtMs - CLOCK_LAG_MS) this.#changed(file);
      }
    }, ms);
    this.#looks.add(timer);
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
    for (const [id, { files, folders, failed }] of this.#watched) {
      if (files.has(file) || (failed && folders.has(path.dirname(file)))) ids.push(id);
    }
    return ids;
  }
}
