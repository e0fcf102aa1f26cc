/**
 * Waits for a promise, but not for longer than `limitMs`: then it rejects with what `late` makes. What the promise does
 * later is ignored.
 */
export function withTimeLimit<T>(promise: PromiseLike<T>, limitMs: number, late: () => Error): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => reject(late()), limitMs);
    promise.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (reason) => {
        clearTimeout(timer);
        reject(reason);
      },
    );
  });
}

/** True for anything that can be awaited, also a promise of another realm. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}
