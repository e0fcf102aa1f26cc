import net from 'node:net';
import { Listener } from '../engine/listener.ts';
import type { Member } from './member.ts';
import type { ListenAddress } from './part.ts';

/** Clients that may wait while no worker runs. */
const MAX_WAITING = 1_000;

/** Listens for all workers, and hands each connection to one of them before anything is read from it. */
export class Reception {
  readonly #workers: () => readonly Member[];
  readonly #listener = new Listener(() =>
    net.createServer({ pauseOnConnect: true, allowHalfOpen: true }, (connection) => {
      connection.on('error', () => {});
      this.#receive(connection);
    }),
  );
  readonly #waiting: net.Socket[] = [];
  /** What was asked for, and what came of it. */
  #listening: { readonly to: ListenAddress; readonly address: Promise<net.AddressInfo> } | undefined;
  #last = 0;

  /** @param workers those that can be told */
  constructor(workers: () => readonly Member[]) {
    this.#workers = workers;
  }

  /** Listens there and nowhere else. All workers ask for it; the first does it. @throws InsightError */
  listen(to: ListenAddress): Promise<net.AddressInfo> {
    const before = this.#listening;
    if (before?.to.host === to.host && before.to.port === to.port) return before.address;
    const address = this.#listener.listen(to.host, to.port);
    this.#listening = { to, address };
    address.catch(() => {
      if (this.#listening?.address === address) this.#listening = before;
    });
    return address;
  }

  /** A worker has begun to run: who waits is served. */
  serveWaiting(): void {
    for (const connection of this.#waiting.splice(0)) this.#receive(connection);
  }

  /** Listens no more. */
  close(): void {
    this.#listener.server.close();
    for (const connection of this.#waiting.splice(0)) connection.destroy();
  }

  #receive(connection: net.Socket): void {
    const worker = this.#next();
    if (worker !== undefined) worker.give(connection);
    else if (this.#waiting.length < MAX_WAITING) this.#waiting.push(connection);
    else connection.destroy();
  }

  /** The one with the fewest connections on their way to it: one that is busy is given less. Of several, in turns. */
  #next(): Member | undefined {
    const workers = this.#workers();
    const fewest = Math.min(...workers.map(({ pending }) => pending.length));
    const free = workers
      .filter(({ pending }) => pending.length === fewest)
      .sort((one, other) => one.number - other.number);
    const next = free.find(({ number }) => number > this.#last) ?? free[0];
    this.#last = next?.number ?? 0;
    return next;
  }
}
