/** A record that is to be written. */
export interface Item {
  /** Below the folder for logs. */
  readonly folder: string;
  /** Of its file, if it is to have one by itself; the UTC date of the file that it is to be a line of, otherwise. */
  readonly name: string;
  readonly format: 'json' | 'ndjson';
  /** JSON with a line feed behind it. */
  readonly bytes: Uint8Array;
  /** For the console, once it is written. */
  readonly said: string;
  readonly level: 'info' | 'debug';
  /** Called when it is on the disk, is lost, or has to wait for the disk to work again. */
  readonly settled?: () => void;
}

/** Records on their way to the disk: data, so that a save of the addon loses none. */
export interface Queue {
  /** In order. */
  readonly fresh: Item[];
  /** Those that could not be written, and are tried again. */
  readonly failed: Item[];
  /** Being written. */
  underWay: number;
  /** Of all three. */
  bytes: number;
  /** Records that were lost because too many waited, since the proxy began. */
  dropped: number;
  /** How many of them have been spoken of. */
  droppedSaid: number;
}

export interface QueueLimits {
  readonly maxItems: number;
  readonly maxBytes: number;
}

export function emptyQueue(): Queue {
  return { fresh: [], failed: [], underWay: 0, bytes: 0, dropped: 0, droppedSaid: 0 };
}

export function waiting({ fresh, failed, underWay }: Queue): number {
  return fresh.length + failed.length + underWay;
}

/**
 * Puts a record in. Where there is no room, the oldest of those that could not be written is lost for it, so that one
 * folder that cannot be written to takes no room from the others; with none of them, this one is lost.
 */
export function put(queue: Queue, item: Item, { maxItems, maxBytes }: QueueLimits): void {
  const isFull = () => waiting(queue) >= maxItems || queue.bytes + item.bytes.length > maxBytes;
  while (isFull()) {
    const oldest = item.bytes.length > maxBytes ? undefined : queue.failed.shift();
    queue.dropped += 1;
    (oldest ?? item).settled?.();
    if (oldest === undefined) return;
    queue.bytes -= oldest.bytes.length;
  }
  queue.fresh.push(item);
  queue.bytes += item.bytes.length;
}

const BATCH_ITEMS = 256;
const BATCH_BYTES = 8 * 1024 * 1024;

/** The next that are to be written together. */
export function take(queue: Queue): Item[] {
  let bytes = 0;
  let count = 0;
  for (const item of queue.fresh.slice(0, BATCH_ITEMS)) {
    bytes += item.bytes.length;
    if (count > 0 && bytes > BATCH_BYTES) break;
    count += 1;
  }
  const batch = queue.fresh.splice(0, count);
  queue.underWay += batch.length;
  return batch;
}

/** They are on disk, or could not be written. */
export function settle(queue: Queue, items: readonly Item[], isWritten: boolean): void {
  queue.underWay -= items.length;
  if (!isWritten) queue.failed.push(...items);
  else for (const { bytes } of items) queue.bytes -= bytes.length;
  for (const { settled } of items) settled?.();
}

/** Those that failed have another turn, before newer ones. */
export function retry(queue: Queue): void {
  queue.fresh.unshift(...queue.failed.splice(0));
}
