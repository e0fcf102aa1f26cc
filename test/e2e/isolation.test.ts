import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { beforeEach, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { curl } from '../clients.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setBusyStage, setStage } from '../stage.ts';
import { becomesLive, configOf, tagging } from '../tagging.ts';
import type { Traffic } from '../traffic.ts';

const HOOK_TIMEOUT_MS = 300;

describe('an addon that breaks', () => {
  let proxy: ProxyProcess;
  let traffic: Traffic;
  let since = 0;
  const config = configOf(`'bad.ts', 'next.ts'`, `hookTimeoutMs: ${HOOK_TIMEOUT_MS},`);
  setBusyStage({ config, files: { 'bad.ts': tagging('bad'), 'next.ts': tagging('next') } }, (stage) => {
    ({ proxy, traffic } = stage);
  });
  beforeEach(async () => {
    proxy.write('bad.ts', tagging('good'));
    await becomesLive(traffic, 'good, next');
    since = proxy.output.length;
  });
  const linesWith = (text: string) =>
    proxy.output
      .slice(since)
      .split('\n')
      .filter((line) => line.includes(text));

  for (const hook of ['connect', 'requestHeaders', 'request', 'responseHeaders', 'response']) {
    for (const [fault, body] of [
      ['throws', `throw new TypeError('broken')`],
      ['rejects', `return Promise.reject(new Error('broken'))`],
    ] as const) {
      it(`and ${fault} in ${hook} is named once, with its line of TypeScript, and the next one runs`, async () => {
        proxy.write('bad.ts', `interface Nothing {\n  here: never;\n}\nexport function ${hook}() {\n  ${body};\n}\n`);
        await proxy.said(new RegExp(`❌ \\[bad\\] ${hook} failed at bad\\.ts:5:\\d+: broken$`, 'm'), since);
        // Two dozen more requests meet it.
        const { sent } = traffic;
        await eventually('more requests', () => traffic.sent > sent + 24);
        assert.equal(await traffic.tag(), 'next');
        assert.equal(linesWith('❌').length, 1, linesWith('❌').join('\n'));
      });
    }
  }

  it('and throws what is no error is named all the same', async () => {
    for (const [thrown, said] of [
      ['null', 'null'],
      [`'text'`, 'text'],
      ['Object.create(null)', 'a thrown object'],
      [`Object.assign(new Error(), { message: 'two\\nlines' })`, 'two lines'],
    ] as const) {
      proxy.write('bad.ts', `export function request() { throw ${thrown}; }`);
      await proxy.said(new RegExp(`\\[bad\\] request failed at bad\\.ts\\S*: ${said}$`, 'm'), since);
      assert.equal(await traffic.tag(), 'next');
    }
  });

  it('and never settles is cut at the time limit and named, and its flow goes on', async () => {
    proxy.write('bad.ts', 'export function responseHeaders() { return new Promise(() => {}); }');
    await proxy.said(
      new RegExp(
        `\\[bad\\] responseHeaders failed at bad\\.ts: responseHeaders did not finish within ${HOOK_TIMEOUT_MS} ms`,
      ),
      since,
    );
    const began = performance.now();
    assert.equal(await traffic.tag(), 'next');
    assert.ok(performance.now() - began >= HOOK_TIMEOUT_MS - 1);
  });

  for (const [what, code, place] of [
    ['an exception in a timer', `setTimeout(() => { throw new Error('late'); }, 10)`, /at bad\.ts:3:\d+/],
    ['a rejection that nobody awaits', `Promise.reject(new Error('late'))`, /at bad\.ts:3:\d+/],
    [
      'an error event that nobody listens to',
      `new EventEmitter().emit('error', new Error('late'))`,
      /at bad\.ts:3:\d+/,
    ],
  ] as const) {
    it(`and leaves ${what} behind is named, and nothing ends`, async () => {
      proxy.write(
        'bad.ts',
        `import { EventEmitter } from 'node:events';\nexport function running() {\n  ${code.includes('emit') ? `setTimeout(() => ${code}, 10)` : code};\n}\n`,
      );
      await proxy.said(new RegExp(`\\[bad\\] unhandled error ${place.source}: late`), since);
      assert.equal(await traffic.tag(), 'next');
    });
  }
});

describe('a required addon', () => {
  let proxy: ProxyProcess;
  const config = `export default { addons: [{ script: 'gate.ts', required: true }] };`;
  const options = { config, files: { 'gate.ts': tagging('gate') } };
  // What it refuses would count as failed: there is no traffic but the test's own.
  setStage(options, undefined, (stage) => {
    ({ proxy } = stage);
  });
  const ask = async () => {
    const url = `https://${API_HOST}/models`;
    const { stdout } = await curl(proxy, undefined, '-o', '/dev/null', '-w', '%{http_connect} %header{x-tag}', url);
    return stdout;
  };

  it('that does not compile any more stays as it was, and traffic goes on', async () => {
    const since = proxy.output.length;
    proxy.write('gate.ts', 'export default {');
    await proxy.said(/gate\.ts:1:17: .*; the last good version stays in force/, since);
    assert.equal(await ask(), '200 gate');
  });

  it('that is gone closes the proxy with a 503 and a reason, until it is back', async () => {
    rmSync(proxy.path('gate.ts'));
    await sleep(1_000);
    assert.equal(await ask(), '200 gate');
    await eventually('it is closed', async () => (await ask()) === '503 ');
    const { stdout } = await curl(proxy, undefined, '-i', '-x', proxy.url(), 'http://api.githubcopilot.com/');
    assert.match(stdout, /^HTTP\/1\.1 503 .*A part of the proxy that it needs is not working/s);
    await proxy.said(/gate\.ts is gone; .* until it comes back, and all traffic is refused: it is required/);
    proxy.write('gate.ts', tagging('back'));
    await eventually('it is open again', async () => (await ask()) === '200 back', 1_000);
  });
});
