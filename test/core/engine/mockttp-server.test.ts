import assert from 'node:assert/strict';
import net from 'node:net';
import { beforeEach, describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import tls from 'node:tls';
import mockttp from 'mockttp';
import { adapt, type ComboServer, serverThatNeverListens } from '../../../core/engine/mockttp-server.ts';

describe('our end of TLS in the server of mockttp', () => {
  let server: ComboServer;
  beforeEach(async () => {
    const proxy = mockttp.getLocal();
    const made = serverThatNeverListens(proxy);
    await proxy.start(0);
    server = made();
  });

  it('is made once: before there is a client, or for the first', async () => {
    const taken: unknown[] = [];
    let made = 0;
    const make = adapt(server, async () => {
      made += 1;
      const ours = tls.createServer().removeAllListeners('connection');
      return ours.on('connection', (socket) => taken.push(socket));
    });
    assert.equal(made, 0);
    const sockets = [new net.Socket(), new net.Socket()];
    for (const socket of sockets) server._tlsServer.emit('connection', socket);
    await make();
    assert.deepEqual(taken, sockets);
    assert.equal(made, 1);
  });

  it('takes no client that has gone while it was made', async () => {
    const taken: unknown[] = [];
    const make = adapt(server, async () => {
      const ours = tls.createServer().removeAllListeners('connection');
      return ours.on('connection', (socket) => taken.push(socket));
    });
    const socket = new net.Socket();
    server._tlsServer.emit('connection', socket);
    socket.destroy();
    await make();
    assert.deepEqual(taken, []);
  });

  it('has clients go when it cannot be made', async () => {
    const make = adapt(server, () => Promise.reject(new Error('on purpose')));
    const socket = new net.Socket();
    server._tlsServer.emit('connection', socket);
    await assert.rejects(make(), /on purpose/);
    await turn();
    assert.equal(socket.destroyed, true);
  });
});
