import assert from 'node:assert/strict';
import type net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { FrameServer } from '../http2-frames.ts';
import { leadingTo, makeCredentials, type OwnUpstream, startOwnUpstream } from '../own-upstream.ts';
import { mib, openFiles } from '../process-stats.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { Random } from '../random.ts';
import { configOf } from '../tagging.ts';
import { Traffic } from '../traffic.ts';
import { type Books, bookkeeper, moody } from './chaos-addons.ts';
import { CHAOS_HOST, ChaoticClients, PORTS, WRONG_HOST } from './chaos-clients.ts';
import { startFramesUpstream } from './chaos-frames.ts';
import { type Hop, startHop } from './chaos-hop.ts';
import { faultyHandler, startBlindUpstream } from './chaos-upstream.ts';
import { HEAP_ADDON } from './heap-addon.ts';

/** Another each time, unless you want to see an old failure again. */
const SEED = Number(process.env.CHAOS_SEED ?? Date.now() % 1_000_000);
/** Before memory is measured for the first time. */
const WARM_UP_LIVES = 150;
const LIVES = 1_400;
const MIN_REQUESTS = 4_000;
const LIVES_AT_ONCE = 24;
const SAVE_ADDON_EVERY_MS = 300;
const SAVE_CONFIG_EVERY_MS = 700;
/** Idle connections to servers are closed after 4 s, and those that have lost a write after 2 s. */
const QUIET_LIMIT_MS = 20_000;
/** Of the steady traffic, with those that are about to end. */
const CALM_CONNECTIONS = 3;
const FILES_SLACK = 6;
/** By then, its connections are all there. */
const STEADY_AFTER = 20;
const HEAP_SLACK_BYTES = 8 * 1024 ** 2;
/** Sessions that have ended are looked at once more within a second. */
const SETTLE_LIMIT_MS = 3_000;
const SETTLE_PAUSE_MS = 100;
/** Nothing listens there. */
const CLOSED_PORT = 1;

/** The moody addon is one that traffic may not go without, every other time. */
const config = (version: number) =>
  configOf(
    `'books.ts', { script: 'moody.ts', required: ${version % 2 === 1} }, 'heap.ts'`,
    // The last time-out is short enough to be met now and then.
    `drainMs: ${100 + (version % 3) * 100}, hookTimeoutMs: ${version % 4 === 3 ? 10 : 5_000},
     allowHosts: ['githubcopilot', '^(${CHAOS_HOST}|${WRONG_HOST}):'],`,
  );

describe(`chaos, with seed ${SEED}`, () => {
  let calm: OwnUpstream;
  let faulty: OwnUpstream;
  let faultyHttp2: OwnUpstream;
  let hop: Hop;
  let frames: FrameServer;
  let blind: Awaited<ReturnType<typeof startBlindUpstream>>;
  let proxy: ProxyProcess;
  let traffic: Traffic;
  let clients: ChaoticClients;

  before(async () => {
    const credentials = await makeCredentials();
    calm = await startOwnUpstream(
      (request, response) => response.end(JSON.stringify({ url: request.url })),
      credentials,
    );
    // Connections to two servers may come from the same port.
    const below = ({ localPort, remotePort }: net.Socket) =>
      [...faulty.sockets].find((socket) => socket.remotePort === remotePort && socket.localPort === localPort);
    const faultyAlone = faultyHandler((top) => {
      const raw = below(top);
      return raw && { raw, top };
    });
    faulty = await startOwnUpstream(faultyAlone, credentials);
    const faultyBehindHop = faultyHandler(({ remotePort }) => hop.connectionOf(remotePort));
    faultyHttp2 = await startOwnUpstream(faultyBehindHop, credentials, 'h2');
    hop = await startHop(faultyHttp2.port);
    frames = await startFramesUpstream(credentials);
    blind = await startBlindUpstream();
    const to = (port: number, real: number) => ['--connect-to', `:${port}:127.0.0.1:${real}`];
    const { args, files } = leadingTo(calm);
    proxy = await ProxyProcess.start({
      args: [
        ...args,
        ...to(PORTS.secure, faulty.port),
        ...to(PORTS.http2, hop.port),
        ...to(PORTS.frames, frames.port),
        ...to(PORTS.plain, faulty.plainPort),
        ...to(PORTS.blind, blind.port),
        ...to(PORTS.refused, CLOSED_PORT),
      ],
      config: config(0),
      files: { ...files, 'books.ts': bookkeeper(CHAOS_HOST), 'moody.ts': moody(0), 'heap.ts': HEAP_ADDON },
    });
    traffic = new Traffic(proxy, 'alice', 20);
    clients = new ChaoticClients({
      port: proxy.port,
      login: ['alice', proxy.password('alice')],
      ca: proxy.ca,
    });
  });
  after(async () => {
    await traffic?.stop();
    await proxy?.stop();
    for (const upstream of [calm, faulty, hop, faultyHttp2, frames, blind]) await upstream?.close();
    // Node loses writes of clients that broke off: left to itself, this process would wait for them for good.
    process.once('beforeExit', () => process.exit());
  });

  it('of clients, servers, addons and saves ends each flow once, and leaves nothing behind', async (t) => {
    t.after(saveAllTheTime());
    await eventually('the steady traffic', () => traffic.sent > STEADY_AFTER);
    const filesBefore = openFiles(proxy.pid).length;
    await liveAll(0, WARM_UP_LIVES);
    const warmBytes = await heapBytes();
    const began = performance.now();
    await liveAll(WARM_UP_LIVES, WARM_UP_LIVES + LIVES);
    const ended = performance.now();
    t.diagnostic(`seed ${SEED}; ${clients.total} requests and tunnels: ${JSON.stringify(clients.tally)}`);
    assert.deepEqual(clients.wrong, []);
    const books = await booksOnceQuiet();
    const quietAfterMs = performance.now() - ended;
    const files = openFiles(proxy.pid).length;
    const grownBytes = await growths(warmBytes);
    t.diagnostic(
      `quiet ${Math.round(quietAfterMs)} ms after ${Math.round(ended - began)} ms; ${JSON.stringify(books)}`,
    );
    t.diagnostic(
      `heap ${mib(warmBytes)}, grown by ${grownBytes.map(mib).join(', ')}; open files ${filesBefore}, then ${files}`,
    );
    assert.ok(clients.total >= MIN_REQUESTS, `only ${clients.total} requests and tunnels`);
    assert.deepEqual(traffic.failures, []);
    const wrong = Object.entries(books.flows).filter(([hooks]) => !isInOrder(hooks));
    assert.deepEqual(wrong, [], 'hooks of flows');
    assert.equal(books.strayEnds, 0);
    const unhandled = proxy
      .read('logs', 'insight-dump.log')
      .split('\n')
      .filter((line) => line.includes('unhandled error'));
    assert.deepEqual(unhandled, []);
    assert.ok(files <= filesBefore + FILES_SLACK, `${filesBefore} open files have become ${files}`);
    const leftBytes = grownBytes.at(-1) as number;
    assert.ok(leftBytes < HEAP_SLACK_BYTES, `the heap has grown by ${mib(leftBytes)}`);
  });

  /** Has clients live their lives, many at once. */
  async function liveAll(from: number, to: number): Promise<void> {
    let next = from;
    const living = async () => {
      while (next < to) {
        const life = next++;
        // Each has numbers of its own, whichever comes first.
        await clients.live(life, new Random(SEED * 1_000_003 + life));
      }
    };
    await Promise.all(Array.from({ length: LIVES_AT_ONCE }, living));
  }

  /** Saves an addon and the config, until the function that it returns is called. */
  function saveAllTheTime(): () => void {
    let version = 0;
    const timers = [
      setInterval(() => proxy.write('moody.ts', moody(++version)), SAVE_ADDON_EVERY_MS),
      setInterval(() => proxy.write('addons.config.ts', config(++version)), SAVE_CONFIG_EVERY_MS),
    ];
    return () => timers.forEach(clearInterval);
  }

  const heapBytes = async () => (JSON.parse((await traffic.ask('/heap')).body) as NodeJS.MemoryUsage).heapUsed;

  /** By how much the heap has grown, time and again until that is little enough: what has just ended goes by and by. */
  async function growths(warmBytes: number): Promise<number[]> {
    const grownBytes = [(await heapBytes()) - warmBytes];
    const end = performance.now() + SETTLE_LIMIT_MS;
    do {
      await sleep(SETTLE_PAUSE_MS);
      grownBytes.push((await heapBytes()) - warmBytes);
    } while ((grownBytes.at(-1) as number) >= HEAP_SLACK_BYTES && performance.now() < end);
    return grownBytes;
  }

  /** Waits until nothing is under way, and returns the books as they are then. */
  async function booksOnceQuiet(): Promise<Books> {
    let books: Books | undefined;
    const open = () => ({
      faulty: faulty.sockets.size,
      faultyHttp2: hop.sockets.size,
      frames: frames.connections.filter(({ socket }) => !socket.destroyed).length,
      blind: blind.sockets.size,
    });
    const quiet = async () => {
      // Each time: one that was being opened may have come too late to be used.
      hop.hangUp();
      books = JSON.parse((await traffic.ask('/books')).body) as Books;
      const pending = Object.keys(books.flows).some((hooks) => !/\b(response|error)\b/.test(hooks));
      const isOpen = Object.values(open()).some((count) => count > 0);
      return !pending && books.openConnections <= CALM_CONNECTIONS && !isOpen && books;
    };
    return eventually(
      () => `quiet, with seed ${SEED}: ${JSON.stringify({ ...open(), ...books })}`,
      quiet,
      QUIET_LIMIT_MS,
    );
  }
});

/** True for a flow that has begun once and ended once, with nothing after its end. */
function isInOrder(hooks: string): boolean {
  const all = hooks.split(' ');
  const ends = all.filter((hook) => hook === 'response' || hook === 'error');
  return all.lastIndexOf('requestHeaders') === 0 && ends.length === 1 && all.at(-1) === ends[0];
}
