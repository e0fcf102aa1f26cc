import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { afterEach, beforeEach, describe, it, type TestContext } from 'node:test';
import { HELLO_TIMEOUT_MS, MAX_HELLO_BYTES, readFirstBytes } from '../../../core/engine/first-bytes.ts';
import { SERVER_LIMITS } from '../../../core/engine/server-limits.ts';
import { eventually } from '../../proxy-process.ts';
import { extension, helloMessage, inRecords, serverNameExtension } from '../../tls-hello.ts';

const NONE = Buffer.alloc(0);
const HELLO = inRecords(helloMessage(serverNameExtension('a.com')));
const HALF = HELLO.subarray(0, 40);

describe('the first bytes of a client', () => {
  let client: net.Socket;
  let ours: net.Socket;
  let server: net.Socket;
  let otherEnd: net.Socket;
  beforeEach(async () => {
    [client, ours] = await pair();
    [otherEnd, server] = await pair();
  });
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy();
  });

  it('are read until they are a ClientHello, and what follows is left', async () => {
    const first = readFirstBytes(ours, HALF);
    client.write(HELLO.subarray(40, 80));
    await once(ours, 'readable');
    client.write(HELLO.subarray(80));
    const { bytes, kind, serverName } = await first;
    assert.deepEqual([bytes, kind, serverName], [HELLO, 'hello', 'a.com']);
    client.write('more');
    assert.equal(String((await once(ours, 'data'))[0]), 'more');
  });

  it('may have come with the CONNECT', async () => {
    assert.equal((await readFirstBytes(ours, HELLO)).serverName, 'a.com');
  });

  it('are not waited for once the server has spoken, or has closed', async () => {
    for (const speak of [
      () => otherEnd.write('220 hello\r\n'),
      () => otherEnd.end(),
      () => otherEnd.resetAndDestroy(),
    ]) {
      [otherEnd, server] = await pair();
      const first = readFirstBytes(ours, HALF, server);
      speak();
      assert.deepEqual(await first, { bytes: HALF, kind: 'unfinished', serverName: undefined });
    }
  });

  it('leave what the server has said to be read', async () => {
    otherEnd.write('220 hello\r\n');
    await readFirstBytes(ours, NONE, server);
    assert.equal(String((await once(server, 'data'))[0]), '220 hello\r\n');
  });

  it('end with the client', async () => {
    for (const leave of [() => client.end(HALF), () => client.resetAndDestroy()]) {
      [client, ours] = await pair();
      const first = readFirstBytes(ours, NONE);
      leave();
      assert.equal((await first).kind, 'unfinished');
      // It has left before.
      assert.equal((await readFirstBytes(ours, NONE)).kind, 'unfinished');
    }
  });

  it('are no more than a ClientHello may have', async () => {
    const endless = inRecords(helloMessage(extension(21, Buffer.alloc(60_000))).subarray(0, 16_000));
    client.write(endless);
    client.write(endless);
    const { bytes, kind } = await readFirstBytes(ours, NONE);
    assert.equal(kind, 'unfinished');
    assert.ok(bytes.length > MAX_HELLO_BYTES);
  });

  describe('in time', () => {
    const settles = async (t: TestContext, head: Buffer, ms: number, other?: net.Socket) => {
      t.mock.timers.enable({ apis: ['setTimeout'] });
      let isSettled = false;
      const first = readFirstBytes(ours, head, other).finally(() => {
        isSettled = true;
      });
      t.mock.timers.tick(ms - 1);
      await new Promise(setImmediate);
      assert.equal(isSettled, false);
      t.mock.timers.tick(1);
      return first;
    };

    it('may be half a ClientHello for a while', async (t) => {
      assert.equal((await settles(t, HALF, HELLO_TIMEOUT_MS)).kind, 'unfinished');
    });

    it('may be silence for longer', async (t) => {
      assert.deepEqual((await settles(t, NONE, SERVER_LIMITS.headersTimeout)).bytes, NONE);
    });

    it('may be half a ClientHello for no longer beside a server', async (t) => {
      assert.equal((await settles(t, HALF, HELLO_TIMEOUT_MS, server)).kind, 'unfinished');
    });

    it('may be silence for any time beside a server', async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] });
      const first = readFirstBytes(ours, NONE, server);
      t.mock.timers.tick(10 * SERVER_LIMITS.headersTimeout);
      client.write(HELLO);
      assert.equal((await first).serverName, 'a.com');
    });

    it('are through at once when they are no TLS', async (t) => {
      t.mock.timers.enable({ apis: ['setTimeout'] });
      const first = readFirstBytes(ours, NONE, server);
      client.write('EHLO');
      assert.deepEqual(await first, { bytes: Buffer.from('EHLO'), kind: 'other', serverName: undefined });
    });
  });
});

const sockets: net.Socket[] = [];

/** Two ends of a connection; the second is as those of the front door. */
async function pair(): Promise<[net.Socket, net.Socket]> {
  const listener = net.createServer({ allowHalfOpen: true, noDelay: true });
  await once(listener.listen(0, '127.0.0.1'), 'listening');
  const one = net.connect({ port: (listener.address() as net.AddressInfo).port, noDelay: true });
  const [other] = (await once(listener, 'connection')) as [net.Socket];
  listener.close();
  for (const socket of [one, other]) sockets.push(socket.on('error', () => {}));
  await eventually('it is connected', () => !one.connecting);
  return [one, other];
}
