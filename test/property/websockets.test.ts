import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { extension, PerMessageDeflate, Receiver, Sender } from 'ws';
import type { WebSocketMessage } from '../../core/addon.ts';
import { Chain } from '../../core/chain.ts';
import { WebSocketRelay } from '../../core/engine/websocket.ts';
import { HttpFlow, HttpRequest } from '../../core/flow.ts';
import { Headers } from '../../core/headers.ts';
import { Pin } from '../../core/pin.ts';

/** What the two may have agreed on. */
const EXTENSIONS = fc.constantFrom(
  undefined,
  'permessage-deflate',
  'permessage-deflate; client_max_window_bits=9; server_max_window_bits=10',
  'permessage-deflate; client_no_context_takeover; server_no_context_takeover',
  'permessage-deflate; server_no_context_takeover; client_max_window_bits=8',
);

/** What one side does: messages in pieces, and pings between. */
type Deed = { readonly pieces: readonly string[]; readonly isText: boolean } | { readonly ping: string };

const DEED = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ pieces: fc.array(fc.string(), { minLength: 1, maxLength: 4 }), isText: fc.boolean() }),
  },
  // Enough to be compressed in any case.
  {
    weight: 1,
    arbitrary: fc.record({
      pieces: fc.tuple(fc.string({ minLength: 1 }).map((text) => text.repeat(2_000))),
      isText: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ ping: fc.string({ maxLength: 20 }) }) },
);

describe('a WebSocket relay', () => {
  let listener: net.Server;
  before(async () => {
    listener = net.createServer();
    await once(listener.listen(0, '127.0.0.1'), 'listening');
  });
  after(() => listener.close());

  /** Both ends of a connection. */
  const pair = async (): Promise<[net.Socket, net.Socket]> => {
    const { port } = listener.address() as net.AddressInfo;
    const accepted = once(listener, 'connection') as Promise<[net.Socket]>;
    const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
    return [socket, (await accepted)[0]];
  };

  it('passes what each side sends, whole and in order, however it is cut on the wire', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(DEED, { maxLength: 12 }),
        fc.array(DEED, { maxLength: 12 }),
        fc.nat(),
        EXTENSIONS,
        async (a, b, seed, extensions) => {
          const [client, clientSide] = await pair();
          const [serverSide, server] = await pair();
          const hooked: WebSocketMessage[] = [];
          const agreed = new Headers(extensions === undefined ? [] : [['sec-websocket-extensions', extensions]]);
          const relay = new WebSocketRelay(
            { flow: flowOf(), pin: pinOf(hooked, seed), observer: undefined },
            { socket: clientSide, headers: agreed },
            { socket: serverSide, headers: agreed },
          );
          const ended = relay.run();
          const [atClient, atServer] = [received(client, false, agreed), received(server, true, agreed)];
          await Promise.all([send(client, a, true, seed, agreed), send(server, b, false, seed + 1, agreed)]);
          await ended;
          assert.deepEqual(await atServer, whole(a));
          assert.deepEqual(await atClient, whole(b));
          for (const [from, deeds] of [
            ['client', a],
            ['server', b],
          ] as const) {
            const texts = hooked.filter((message) => message.from === from).map(({ text }) => text);
            assert.deepEqual(
              texts,
              deeds.flatMap((deed) => ('pieces' in deed ? [deed.pieces.join('')] : [])),
            );
          }
        },
      ),
      { numRuns: 60 },
    );
  });
});

function flowOf(): HttpFlow {
  const target = { scheme: 'https', host: 'example.com', port: 443 } as const;
  const head = { method: 'GET', target, path: '/', headers: new Headers(), httpVersion: '1.1' } as const;
  return new HttpFlow(
    { id: '1', address: '127.0.0.1', port: 1, user: undefined, groups: [] },
    new HttpRequest(head, 0),
  );
}

/** On a chain of one addon whose hook notes messages, and sometimes takes its time. */
function pinOf(hooked: WebSocketMessage[], seed: number): Pin {
  let turn = seed;
  const addon = {
    websocketMessage: (_flow: unknown, message: WebSocketMessage) => {
      hooked.push(message);
      turn += 1;
      return turn % 3 === 0 ? sleep(turn % 4) : undefined;
    },
  };
  const chain = new Chain([{ script: 'a', name: 'a', required: false, instances: [{ addon } as never] }]);
  return new Pin({ chain, hookTimeoutMs: 1_000, fault: (_instance, _hook, error) => assert.fail(String(error)) });
}

/** What deeds are to look like at the other side: the closing comes last. */
function whole(deeds: readonly Deed[]): string[] {
  return deeds.map((deed) => ('ping' in deed ? `ping ${deed.ping}` : `${deed.isText} ${deed.pieces.join('')}`));
}

/** Sends it all and closes, in writes that have nothing to do with frames. */
async function send(
  socket: net.Socket,
  deeds: readonly Deed[],
  mask: boolean,
  seed: number,
  agreed: Headers,
): Promise<void> {
  const wire: Buffer[] = [];
  const extensions = extensionsOf(agreed, !mask);
  const written = {
    cork() {},
    uncork() {},
    write(chunk: Buffer | string, done?: () => void) {
      wire.push(Buffer.from(chunk as Buffer));
      done?.();
    },
  };
  const sender = new Sender(written as unknown as net.Socket, extensions);
  for (const deed of deeds) {
    if ('ping' in deed) sender.ping(Buffer.from(deed.ping), mask);
    else {
      for (const [i, piece] of deed.pieces.entries()) {
        const fin = i === deed.pieces.length - 1;
        sender.send(Buffer.from(piece), { binary: !deed.isText, fin, mask, compress: extensions !== undefined });
      }
    }
  }
  await new Promise((resolve) => sender.close(1000, 'done', mask, resolve));
  const bytes = Buffer.concat(wire);
  for (let at = 0, step = seed; at < bytes.length; step += 7) {
    const size = 1 + (step % 50);
    socket.write(bytes.subarray(at, at + size));
    at += size;
    if (step % 5 === 0) await sleep(0);
  }
}

/** What one of the two ends compresses and decompresses with. */
function extensionsOf(agreed: Headers, isServer: boolean): Record<string, PerMessageDeflate> | undefined {
  const { 'permessage-deflate': params } = extension.parse(agreed.get('sec-websocket-extensions') ?? 'none');
  if (params === undefined) return undefined;
  const deflate = new PerMessageDeflate({ isServer, maxPayload: 0, zlibDeflateOptions: {} });
  deflate.accept(params);
  return { 'permessage-deflate': deflate };
}

/** All that comes until it is closed. */
async function received(socket: net.Socket, isServer: boolean, agreed: Headers): Promise<string[]> {
  const seen: string[] = [];
  const extensions = extensionsOf(agreed, isServer) ?? {};
  const receiver = new Receiver({ isServer, maxPayload: 0, maxFragments: 0, maxBufferedChunks: 0, extensions });
  receiver.on('message', (content, isBinary) => seen.push(`${!isBinary} ${content}`));
  receiver.on('ping', (content) => seen.push(`ping ${content}`));
  return new Promise((resolve, reject) => {
    receiver.on('error', reject);
    receiver.on('conclude', (code, reason) =>
      `${code} ${reason}` === '1000 done' ? resolve(seen) : reject(new Error(`${code}`)),
    );
    socket.on('data', (chunk) => receiver.write(chunk, () => {}));
  });
}
