import { putBounded } from '../bounded.ts';
import type { LogLine } from '../log.ts';

/** So long after it was shown, a line may be the same event's in another worker. */
const ALIKE_WITHIN_MS = 10_000;
const MAX_REMEMBERED = 1_000;

interface Said {
  readonly byWorker: Map<number, number>;
  /** How often it has been shown: as often as the worker has said it that has said it most. */
  shown: number;
  shownMs: number;
}

/** Tells lines that are news from those that another worker has said as well: of a reload, each says the same. */
export class AlikeLines {
  readonly #said = new Map<string, Said>();

  isNews(worker: number, { level, addon, of, message }: LogLine): boolean {
    // Two flows may look alike.
    if (of === 'flow') return true;
    const key = JSON.stringify([level, addon, message]);
    const known = this.#said.get(key);
    const nowMs = performance.now();
    const isRecent = known !== undefined && nowMs - known.shownMs < ALIKE_WITHIN_MS;
    const said: Said = isRecent ? known : { byWorker: new Map(), shown: 0, shownMs: nowMs };
    const count = (said.byWorker.get(worker) ?? 0) + 1;
    said.byWorker.set(worker, count);
    const isNews = count > said.shown;
    if (isNews) Object.assign(said, { shown: count, shownMs: nowMs });
    putBounded(this.#said, key, said, MAX_REMEMBERED);
    return isNews;
  }
}
