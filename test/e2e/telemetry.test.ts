import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { fetch } from 'undici';
import type { Acceptance } from '../../core/addon.ts';
import { ask, openSession, proxyAgent } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { capture } from '../requests.ts';
import { PLANTED, suggestion, WITH_TEXT } from '../telemetry.ts';

const HOST = 'telemetry.individual.githubcopilot.com';
const EXPERIMENTS = '07-get-telemetry-telemetry';
const BATCH = JSON.stringify([WITH_TEXT, suggestion('shown', 'python'), suggestion('accepted', 'python')]);

/** Writes what it is told, as the metrics do. */
const COUNTER = `
  import { appendFileSync } from 'node:fs';
  import { defineAddon } from 'insight-dump';
  export default defineAddon({
    acceptance(acceptance, _flow, { paths }) {
      appendFileSync(paths.logs + '/acceptances.ndjson', JSON.stringify(acceptance) + '\\n');
    },
  });
`;

const configOf = (mode: string) =>
  `export default ${JSON.stringify({
    addons: [
      'addons/auth.ts',
      'addons/telemetry.ts',
      'addons/filter.ts',
      'addons/usage.ts',
      'addons/metrics.ts',
      'counter.ts',
    ],
    options: { auth: { users: ['alice'] }, telemetry: { mode } },
    flowDetail: 1,
  })};`;

async function withProxy(
  mode: string,
  test: (proxy: ProxyProcess, fake: FakeCopilot) => Promise<void>,
  plan?: FakeCopilot['plan'],
): Promise<void> {
  const fake = await startFakeCopilot(plan);
  const proxy = await ProxyProcess.start({ upstream: fake, config: configOf(mode), files: { 'counter.ts': COUNTER } });
  try {
    await test(proxy, fake);
  } finally {
    await proxy.stop();
    await fake.close();
  }
}

/** All that lies under a folder, put together. */
function textBelow(folder: string): string {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile())
    .map((file) => readFileSync(file, 'utf8'))
    .join('\n');
}

function acceptances(proxy: ProxyProcess): Acceptance[] {
  try {
    const lines = proxy.read('logs/acceptances.ndjson').trim().split('\n');
    return lines.map((line) => JSON.parse(line));
  } catch {
    return [];
  }
}

const told = (proxy: ProxyProcess, count: number) =>
  eventually(`${count} acceptances; the proxy said\n${proxy.output}`, () => {
    const all = acceptances(proxy);
    return all.length >= count ? all : undefined;
  });

const POST = { ':method': 'POST', ':path': '/telemetry', 'content-type': 'application/json' };

describe('telemetry in the proxy', () => {
  it('is tunnelled blindly when the addon is off', () =>
    withProxy('off', async (proxy, fake) => {
      const dispatcher = proxyAgent(proxy, 'alice');
      // Who trusts the proxy's CA only does not trust the origin's own certificate.
      await assert.rejects(fetch(`https://${HOST}/telemetry`, { dispatcher }));
      assert.equal(fake.requests.length, 0);
      await dispatcher.close();
    }));

  it('is counted for each user and language over h1 and h2, plain and packed, and no text of it lies anywhere', () =>
    withProxy('counts', async (proxy, fake) => {
      const session = await openSession(proxy, 'alice', HOST);
      const { headers } = capture('17-post-telemetry-telemetry');
      const answer = await ask(session, headers, BATCH);
      assert.equal(answer.status, 200);
      session.close();
      const dispatcher = proxyAgent(proxy, 'alice');
      for (const [encoding, body] of [
        ['gzip', zlib.gzipSync(BATCH)],
        ['br', zlib.brotliCompressSync(BATCH)],
      ] as const) {
        const packed = { 'content-type': 'application/json', 'content-encoding': encoding };
        await fetch('https://copilot-telemetry.githubusercontent.com/telemetry', {
          method: 'POST',
          headers: packed,
          body,
          dispatcher,
        });
        // What arrives is what was sent, to the byte.
        assert.deepEqual(fake.requests.at(-1)?.body, body);
        assert.equal(fake.requests.at(-1)?.headers['content-length'], String(body.length));
      }
      await dispatcher.close();
      for (const { timeMs: _, ...acceptance } of await told(proxy, 3))
        assert.deepEqual(acceptance, {
          user: 'alice',
          groups: [],
          editor: '-',
          language: 'python',
          shown: 1,
          accepted: 1,
          rejected: 0,
          acceptedLines: 2,
          acceptedCharacters: 40,
        });
      await proxy.stop({ keep: true });
      assert.doesNotMatch(textBelow(proxy.path('logs')) + proxy.output, new RegExp(PLANTED));
      assert.equal(proxy.records().size, 0);
    }));

  it('is recorded as it was sent when it is to be', () =>
    withProxy('full', async (proxy, fake) => {
      const session = await openSession(proxy, 'alice', HOST);
      await ask(session, POST, BATCH);
      session.close();
      assert.equal(fake.requests[0]?.body.toString(), BATCH);
      const folder = proxy.path('logs/telemetry');
      await told(proxy, 1);
      await proxy.stop({ keep: true });
      const { user, events } = JSON.parse(textBelow(folder));
      assert.equal(user, 'alice');
      assert.deepEqual(events, JSON.parse(BATCH));
    }));

  it('is looked into as soon as the config is saved, and no more when it is saved again', () =>
    withProxy('off', async (proxy, fake) => {
      const tell = async () => {
        const dispatcher = proxyAgent(proxy, 'alice');
        const body = JSON.stringify([suggestion('shown', 'go')]);
        const sent = fetch(`https://${HOST}/telemetry`, { method: 'POST', body, dispatcher }).then(({ ok }) => ok);
        const ok = await sent.catch(() => false);
        await dispatcher.close();
        return ok;
      };
      assert.equal(await tell(), false);
      proxy.write('addons.config.ts', configOf('counts'));
      await eventually('that it is looked into', tell);
      await told(proxy, 1);
      proxy.write('addons.config.ts', configOf('off'));
      await eventually('that it is not', async () => !(await tell()));
      assert.ok(fake.requests.length > 0);
    }));

  it('passes the experiments that a client asks for, to the byte', () => {
    const config = Buffer.from('{ "Configs" : [\n{"Id":"vscode","Parameters":{"a\\u00e4":1}} ], "x":"ä" }');
    return withProxy(
      'full',
      async (proxy, fake) => {
        const session = await openSession(proxy, 'alice', HOST);
        const { headers } = capture(EXPERIMENTS);
        const answer = await ask(session, headers);
        session.close();
        assert.equal(answer.body, config.toString());
        assert.equal(answer.headers['content-length'], String(config.length));
        for (const [name, value] of Object.entries(headers).filter(([name]) => !name.startsWith(':')))
          assert.equal(fake.requests[0]?.headers[name], value, name);
        await proxy.stop({ keep: true });
        assert.deepEqual(acceptances(proxy), []);
        assert.deepEqual(
          readdirSync(proxy.path('logs')).filter((name) => name === 'telemetry'),
          [],
        );
      },
      () => ({ body: config, contentType: 'application/json' }),
    );
  });

  it('passes untouched, and is not counted, when its server refuses it or it makes no sense', () =>
    withProxy(
      'counts',
      async (proxy, fake) => {
        const session = await openSession(proxy, 'alice', HOST);
        const refused = await ask(session, POST, BATCH);
        assert.deepEqual([refused.status, refused.body], [503, '{"itemsReceived":3,"itemsAccepted":0}']);
        const bomb = zlib.gzipSync(Buffer.alloc(100 * 1024 * 1024, 32));
        const stream = session.request({ ...POST, 'content-encoding': 'gzip', 'x-sense': 'none' });
        stream.end(bomb);
        await stream.resume().toArray();
        for (const body of ['', '[[[', 'null', `${'['.repeat(100_000)}`, 'x'.repeat(9 * 1024 * 1024)])
          assert.equal((await ask(session, { ...POST, 'x-sense': 'none' }, body)).status, 200);
        await ask(session, { ...POST, 'x-sense': 'some' }, BATCH);
        session.close();
        assert.equal((await told(proxy, 1)).length, 1);
        assert.equal(fake.requests.length, 8);
        assert.doesNotMatch(proxy.output, /❌|failed in/);
      },
      ({ headers }) =>
        headers['x-sense'] === undefined ? { status: 503, body: '{"itemsReceived":3,"itemsAccepted":0}' } : {},
    ));
});
