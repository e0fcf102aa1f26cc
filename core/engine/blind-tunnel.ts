import type { Buffer } from 'node:buffer';
import type net from 'node:net';

/**
 * Joins two sockets until both directions have ended; each end is passed on by itself, since a client may stop sending
 * and still wait for the answer. An error or a reset on one side takes down the other.
 *
 * @param first what has been read from `one` already
 */
export function joinSockets(one: net.Socket, other: net.Socket, first?: Buffer): void {
  if (first !== undefined && first.length > 0) other.write(first);
  for (const [from, to] of [
    [one, other],
    [other, one],
  ] as const) {
    from.on('error', () => to.destroy());
    // Closed without an end: it was broken off.
    from.on('close', () => {
      if (!from.readableEnded) to.destroy();
    });
    from.pipe(to);
    if (from.destroyed) to.destroy();
  }
}
