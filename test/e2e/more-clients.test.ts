import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { createHash, X509Certificate } from 'node:crypto';
import path from 'node:path';
import { describe, it } from 'node:test';
import { promisify } from 'node:util';
import { chromium } from 'playwright-core';
import { missing } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import { type ProxyProcess, ROOT } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { setStage } from '../stage.ts';

const run = promisify(execFile);
const URL = `https://${API_HOST}/chat/completions`;
const fixture = (name: string) => path.join(ROOT, 'test/fixtures/clients', name);

describe('clients that are not of Node', async () => {
  let proxy: ProxyProcess;
  let fake: FakeCopilot;
  setStage({}, undefined, (stage) => {
    ({ proxy, fake } = stage);
  });
  const recordedOnce = async (before: number) => {
    await proxy.recorded(before + 1);
    assert.equal(fake.requests.at(-1)?.headers['proxy-authorization'], undefined);
  };

  it('Python is served, whose CONNECT is of HTTP/1.0', { skip: await missing('python3', '--version') }, async () => {
    const before = proxy.records().size;
    const { stdout } = await run('python3', [
      fixture('client.py'),
      proxy.url('alice'),
      proxy.caFile,
      chatRequest('py'),
      URL,
    ]);
    assert.equal(stdout, '200 True\n');
    await recordedOnce(before);
  });

  it('wget is served', { skip: await missing('wget', '--version') }, async () => {
    const before = proxy.records().size;
    const { stdout } = await run(
      'wget',
      ['-qO-', '--tries=1', `--ca-certificate=${proxy.caFile}`, `--post-data=${chatRequest('wget')}`, URL],
      { env: { ...process.env, https_proxy: proxy.url('bob') } },
    );
    assert.match(stdout, /\[DONE\]/);
    await recordedOnce(before);
  });

  for (const version of ['HTTP_1_1', 'HTTP_2']) {
    it(`Java is served over ${version}, which asks without credentials first`, {
      skip: await missing('java', '-version'),
    }, async () => {
      const before = proxy.records().size;
      const args = [
        String(proxy.port),
        'alice',
        proxy.password('alice'),
        proxy.caFile,
        version,
        chatRequest('java'),
        URL,
      ];
      // Basic authentication for tunnels has to be allowed, as the IDEs do.
      const { stdout } = await run('java', [
        '-Djdk.http.auth.tunneling.disabledSchemes=',
        fixture('Client.java'),
        ...args,
      ]);
      assert.equal(stdout, `200 ${version} true\n`.repeat(2));
      await recordedOnce(before + 1);
    });
  }

  it('Chromium, as in VS Code, is served over h2, and asked for its credentials', {
    skip: await missing('/usr/bin/chromium', '--version'),
  }, async () => {
    const browser = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      proxy: { server: `http://127.0.0.1:${proxy.port}`, username: 'alice', password: proxy.password('alice') },
      // It trusts what our CA has signed, and nothing else that it would not trust anyway.
      args: [...QUIET, `--ignore-certificate-errors-spki-list=${publicKeyHash(proxy.ca)}`],
    });
    try {
      const page = await browser.newPage();
      const before = proxy.records().size;
      const response = await page.goto(`https://${API_HOST}/models`);
      assert.equal(response?.status(), 200);
      // A page of that very origin may ask what an extension would.
      const asked = await page.evaluate(async (body) => {
        const answer = await fetch('/chat/completions', { method: 'POST', body });
        const text = await answer.text();
        const [timing] = performance.getEntriesByName(answer.url) as unknown as { nextHopProtocol: string }[];
        return [answer.status, timing?.nextHopProtocol, text.includes('[DONE]')];
      }, chatRequest('chromium'));
      assert.deepEqual(asked, [200, 'h2', true]);
      await recordedOnce(before);
    } finally {
      await browser.close();
    }
  });
});

/** Keeps Chromium from calling home, which would come to the proxy too. */
const QUIET = [
  '--no-sandbox',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** As Chromium names a certificate's key: the SHA-256 of its SubjectPublicKeyInfo, in Base64. */
function publicKeyHash(certificate: string): string {
  const spki = new X509Certificate(certificate).publicKey.export({ type: 'spki', format: 'der' });
  return createHash('sha256').update(spki).digest('base64');
}
