import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import tls from 'node:tls';
import { makeCredentials } from './own-upstream.ts';
import { reset } from './reset.ts';

/** Both ends of a connection. */
interface Pair {
  readonly near: net.Socket;
  readonly far: net.Socket;
  /** Resolves once both have told that they are closed. */
  readonly closed: Promise<unknown>;
}

/** Other than `once()`, it does not mind errors. */
const closing = (socket: net.Socket) => new Promise((resolve) => socket.once('close', resolve));

describe('a reset', { timeout: 10_000 }, () => {
  const server = net.createServer({ allowHalfOpen: true });
  before(() => once(server.listen(0, '127.0.0.1'), 'listening'));
  after(() => void server.close());

  async function connect(): Promise<Pair> {
    const { port } = server.address() as net.AddressInfo;
    const accepted = once(server, 'connection');
    const near = net.connect({ port, host: '127.0.0.1' }).on('error', () => {});
    const [[far]] = (await Promise.all([accepted, once(near, 'connect')])) as [[net.Socket], unknown];
    far.on('error', () => {});
    return { near, far, closed: Promise.all([near, far].map(closing)) };
  }

  it('is what the other end is told', async () => {
    const { near, far, closed } = await connect();
    const told = new Promise<NodeJS.ErrnoException>((resolve) => far.once('error', resolve));
    far.resume();
    reset({ raw: near, top: near });
    assert.equal((await told).code, 'ECONNRESET');
    await closed;
  });

  it('closes a connection whose end is on its way', async () => {
    const { near, far, closed } = await connect();
    far.resume().once('end', () => far.end());
    near.end();
    reset({ raw: near, top: near });
    await closed;
  });

  it('closes one on which TLS is being ended', async () => {
    const { key, cert } = await makeCredentials();
    const { near, far, closed } = await connect();
    const secure = tls.connect({ socket: near, rejectUnauthorized: false }).on('error', () => {});
    const other = new tls.TLSSocket(far, { isServer: true, key, cert }).on('error', () => {});
    other.resume().once('end', () => other.end());
    await once(secure, 'secureConnect');
    secure.end();
    reset({ raw: near, top: secure });
    await closed;
  });

  it('is one, too, after the end has been sent', async () => {
    const { near, far, closed } = await connect();
    const told = new Promise<NodeJS.ErrnoException>((resolve) => far.once('error', resolve));
    far.resume();
    await new Promise<void>((resolve) => void near.end(resolve));
    reset({ raw: near, top: near });
    far.write('to nobody');
    assert.match(String((await told).code), /ECONNRESET|EPIPE/);
    await closed;
  });
});
