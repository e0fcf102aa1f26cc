import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type net from 'node:net';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { Http1Request } from '../../../core/engine/http1-request.ts';
import { relayBody } from '../../../core/engine/relay.ts';
import { HttpResponse } from '../../../core/flow.ts';
import { Headers } from '../../../core/headers.ts';

describe('a request over HTTP/1.1', () => {
  it('that is given up, with its answer here as a whole and not read yet, gives that no proper end', async (t) => {
    const server = http.createServer((_request, response) => response.end('all of it'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    t.after(() => server.close());
    const { port } = server.address() as net.AddressInfo;
    const sent = http.request({ host: '127.0.0.1', port });
    const target = { scheme: 'http', host: '127.0.0.1', port } as const;
    const head = { target, method: 'GET', path: '/', headers: new Headers(), hasBody: false, upgrades: false };
    const request = new Http1Request(sent, head);
    request.end();
    const answer = await request.answer();
    const body = answer.body as http.IncomingMessage;
    const relayed = relayBody(body, new PassThrough(), new HttpResponse(answer, 0));
    body.pause();
    while (!body.complete) await turn();
    request.destroy();
    await assert.rejects(relayed, { name: 'BodyCut', side: 'source' });
  });
});
