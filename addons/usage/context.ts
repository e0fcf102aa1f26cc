import type { Context } from 'insight-dump';
import type { UsageOptions } from './options.ts';
import { emptyQueue, type Queue } from './queue.ts';

/** What survives a save of the addon: data, so that no code of an old version lives on in it. */
export interface State {
  /** Microseconds since the epoch that the last file is named by: no two may have the same. */
  lastMicros: number;
  readonly queue: Queue;
  /** There while records are written. */
  writing: Promise<void> | undefined;
  /** What could not be written is tried again from then on, by the clock of `performance`. */
  retryAtMs: number;
  /** Records cannot be written, or are lost, and that has been said. */
  failing: boolean;
  losing: boolean;
  /** Files with records that have not been forced to the disk. */
  readonly unsynced: Set<string>;
  syncing: Promise<void> | undefined;
  /** The file that is being packed: nothing is to be appended to it. */
  packing: string | undefined;
  /** Journals that an earlier process has left have been looked for. */
  isRecovered: boolean;
  /** When old files were looked after last, and by which options. */
  lookedAfter: string;
}

export type UsageContext = Context<UsageOptions, State>;

export function firstState(): State {
  return {
    lastMicros: 0,
    queue: emptyQueue(),
    writing: undefined,
    retryAtMs: 0,
    failing: false,
    losing: false,
    unsynced: new Set(),
    syncing: undefined,
    packing: undefined,
    isRecovered: false,
    lookedAfter: '',
  };
}
