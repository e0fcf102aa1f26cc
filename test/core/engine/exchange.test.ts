import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type net from 'node:net';
import { Duplex, Readable } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Chain } from '../../../core/chain.ts';
import { Dialer } from '../../../core/engine/dialer.ts';
import { Exchange } from '../../../core/engine/exchange.ts';
import { Upstream } from '../../../core/engine/upstream.ts';
import type { HttpFlow } from '../../../core/flow.ts';
import { Pin } from '../../../core/pin.ts';

describe('an exchange', () => {
  it('whose client closes on the last byte of the answer ends as cut by the client, and breaks nothing', async (t) => {
    const server = http.createServer((_request, response) => response.end('all of it'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as net.AddressInfo;
    const upstream = new Upstream(new Dialer({ connectTo: [], allowPrivateTargets: true }), { sslInsecure: false });
    t.after(() => {
      upstream.close();
      server.close();
    });
    const uncaught: unknown[] = [];
    const note = (error: unknown) => uncaught.push(error);
    process.on('uncaughtException', note);
    t.after(() => process.off('uncaughtException', note));

    const client = new Duplex({
      read() {},
      write(chunk, _encoding, written) {
        if (chunk.toString().endsWith('all of it')) this.destroy();
        else written();
      },
    });
    const asked = new http.IncomingMessage(client as net.Socket);
    const response = new http.ServerResponse(asked);
    response.assignSocket(client as net.Socket);
    const flows: HttpFlow[] = [];
    const exchange = new Exchange(
      {
        client: { id: 'one', address: '127.0.0.1', port: 1, user: undefined, groups: [] },
        target: { scheme: 'http', host: '127.0.0.1', port },
        method: 'GET',
        path: '/',
        httpVersion: '1.1',
        headers: [],
        trailers: () => [],
        stream: Readable.from([]),
        response,
      },
      new Pin({ chain: new Chain(), hookTimeoutMs: 0, fault() {} }),
      {
        upstream,
        keepBodies: false,
        idleTimeoutMs: 60_000,
        observers: { observe: () => undefined, readsWebSocket: () => false },
        ended: (flow) => flows.push(flow),
      },
    );
    await exchange.run();
    await turn();

    assert.deepEqual(uncaught, []);
    assert.equal(flows[0]?.error?.code, 'CLIENT_CLOSED');
  });
});
