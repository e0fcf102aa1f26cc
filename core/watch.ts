import path from 'node:path';
import { type FSWatcher, watch } from 'chokidar';
import { Looks, type Stamps } from './stamps.ts';

/** Saves come as several events, and big ones in several writes: wait until it has been quiet for so long. */
const SETTLE_MS = 40;

/**
 * How often files are looked at, events or not: file systems do not tell of everything (a mount from elsewhere, more than
 * the system's limit of watches), and folders are not listened to (a file that is new, or a folder that is replaced).
 */
const LOOK_INTERVAL_MS = 500;

/** How changes are noticed: by the file system's events and by looking, by looking only, or not at all. */
export type WatchMode = 'events' | 'poll' | 'off';

/**
 * Watches the files that each script is made of, and says which scripts have to be built anew. Events say when to look;
 * what has changed is told by the files' stamps, so that a file may be rewritten, replaced, linked elsewhere, or deleted
 * and made again, and each change is told once.
 */
export class Watcher {
  readonly #onChange: (id: string) => void;
  readonly #onError: (error: unknown) => void;
  readonly #mode: WatchMode;
  #events: FSWatcher | undefined;
  #looking: NodeJS.Timeout | undefined;
  #isClosed = false;
  readonly #watched = new Map<string, Stamps>();
  readonly #settling = new Map<string, NodeJS.Timeout>();

  /** `onChange` is called with a script's id, once for all events of one save: of those since it was set, once it has begun. */
  constructor(mode: WatchMode, onChange: (id: string) => void, onError: (error: unknown) => void) {
    this.#mode = mode;
    this.#onChange = onChange;
    this.#onError = onError;
  }

  /** Begins to watch. It takes some time, which a start can do without. */
  begin(): void {
    if (this.#mode === 'off' || this.#isClosed) return;
    if (this.#mode === 'events')
      this.#events = this.#listen().add([...this.#watched.values()].flatMap(({ paths }) => [...paths]));
    this.#looking = setInterval(() => void this.#look(), LOOK_INTERVAL_MS);
  }

  /** Sets what makes up `id`, as it was when it was read. */
  set(id: string, stamps: Stamps): void {
    // chokidar would open again what has been closed.
    if (this.#mode === 'off' || this.#isClosed) return;
    this.#watched.set(id, stamps);
    this.#events?.add([...stamps.paths]);
  }

  delete(id: string): void {
    this.#watched.delete(id);
    clearTimeout(this.#settling.get(id));
    this.#settling.delete(id);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearInterval(this.#looking);
    for (const id of [...this.#watched.keys()]) this.delete(id);
    await this.#events?.close();
  }

  #listen(): FSWatcher {
    const events = watch([], {
      ignoreInitial: true,
      // Of a folder, chokidar reads all again whenever anything in it is written to, such as what a console goes to.
      ignored: (_path, stats) => stats?.isDirectory() === true,
    });
    const told = (file: string) => {
      for (const [id, stamps] of this.#watched) if (stamps.concern(path.resolve(file))) this.#stir(id);
    };
    events.on('all', (_event, file) => told(file));
    // Of changes of one file within 50 ms, chokidar tells the first only.
    events.on('raw', (_event, _name, details) => told((details as { readonly watchedPath: string }).watchedPath));
    events.on('error', (error) => this.#onError(error));
    return events;
  }

  async #look(): Promise<void> {
    const looks = new Looks();
    for (const [id, stamps] of [...this.#watched]) {
      if (!(await stamps.differ(looks)) || this.#settling.has(id) || this.#watched.get(id) !== stamps) continue;
      // No event has told of it: what was watched may not be what lies there now.
      const paths = [...stamps.paths];
      this.#events?.unwatch(paths).add(paths);
      this.#stir(id);
    }
  }

  #stir(id: string): void {
    clearTimeout(this.#settling.get(id));
    this.#settling.set(
      id,
      setTimeout(() => void this.#settled(id), SETTLE_MS),
    );
  }

  async #settled(id: string): Promise<void> {
    this.#settling.delete(id);
    const stamps = this.#watched.get(id);
    if ((await stamps?.renew()) && this.#watched.get(id) === stamps) this.#onChange(id);
  }
}
