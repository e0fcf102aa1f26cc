import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Dialer } from '../../../core/engine/dialer.ts';
import { Upstream } from '../../../core/engine/upstream.ts';
import { Headers } from '../../../core/headers.ts';
import { type OwnUpstream, startOwnUpstream } from '../../own-upstream.ts';
import { eventually } from '../../proxy-process.ts';

/** Idle connections are closed after 4 s. */
const QUIET_LIMIT_MS = 15_000;

describe('the connection on which a server has said that it does not speak HTTP/2', () => {
  let server: OwnUpstream;
  let upstream: Upstream;
  let folder: string;
  before(async () => {
    server = await startOwnUpstream((_request, response) => response.end('ok'));
    folder = mkdtempSync(path.join(tmpdir(), 'insight-dump-test-'));
    const caFile = path.join(folder, 'ca.pem');
    writeFileSync(caFile, server.ca);
    const connectTo = [{ from: {}, to: { host: '127.0.0.1', port: server.port } }];
    upstream = new Upstream(new Dialer({ connectTo, allowPrivateTargets: true }), { sslInsecure: false }, caFile);
  });
  after(async () => {
    upstream?.close();
    await server?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Each for a host of its own: what a server speaks is remembered. */
  const head = (host: string, ...more: [string, string][]) => ({
    target: { scheme: 'https', host, port: 443 } as const,
    method: 'GET',
    path: '/',
    headers: new Headers([['host', host], ...more]),
    hasBody: false,
    upgrades: false,
  });
  const allClosed = () => eventually('all connections are closed', () => server.sockets.size === 0, QUIET_LIMIT_MS);

  it('is closed when the request is given up at once, and would have had a kept connection', async () => {
    const first = await upstream.request(head('one.example.com'), 'http/1.1');
    first.end();
    const { body } = await first.answer();
    await body.resume().toArray();
    const second = await upstream.request(head('one.example.com'), 'h2');
    second.destroy();
    await allClosed();
  });

  it('is closed when the head of the request cannot be sent', async () => {
    await assert.rejects(upstream.request(head('two.example.com', ['x-bad', 'line\nfeed']), 'h2'), {
      code: 'ERR_INVALID_CHAR',
    });
    await allClosed();
  });
});
