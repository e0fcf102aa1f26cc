/**
 * What bodies leave behind. Each piece of one lies outside of V8's heap until the object that it belongs to is collected,
 * which V8 does with young objects when they fill their space of 16 MiB, or when 32 MiB hang on them: a single body may
 * leave that much.
 */
import v8 from 'node:v8';
import { runInNewContext } from 'node:vm';

/** To collect young objects takes 1 to 2 ms; to pass on so much, fifty times as long. */
const COLLECT_AFTER_BYTES = 8 * 1024 * 1024;

type Collect = (options: { readonly type: 'minor' }) => void;

let sinceLastBytes = 0;
let collect: Collect | undefined;

/** To be told of what is passed on of bodies: has what it leaves collected now and then. */
export function passedOn(bytes: number): void {
  sinceLastBytes += bytes;
  if (sinceLastBytes < COLLECT_AFTER_BYTES) return;
  sinceLastBytes = 0;
  collect ??= collector();
  collect({ type: 'minor' });
}

/** V8's own. A context that is made while the flag is set has it; nobody else gets to see it. */
function collector(): Collect {
  v8.setFlagsFromString('--expose-gc');
  const gc: Collect | undefined = runInNewContext('globalThis.gc');
  v8.setFlagsFromString('--no-expose-gc');
  // Without it, garbage waits, as it would have done.
  return gc ?? (() => {});
}
