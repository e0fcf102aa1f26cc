import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { curl } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { CliProcess, makeFolder, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';

describe('insight-dump ca', () => {
  let folder: string;
  beforeEach(() => {
    folder = makeFolder();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const run = async (...args: readonly string[]) => {
    const cli = new CliProcess({ args: ['ca', ...args], folder, listenByConfig: true });
    const code = await cli.ended;
    return { code, output: cli.output };
  };
  const conf = (file: string) => path.join(folder, 'conf', file);

  it('tells of the CA, the same each time', async () => {
    const first = await run();
    assert.equal(first.code, 0);
    assert.match(first.output, /conf\/ca\.pem\n {2}SHA-256 {2}([0-9A-F]{2}:){31}[0-9A-F]{2}\n {2}until {4}\w+/);
    assert.equal((await run()).output, first.output);
  });

  it('rotate makes a new one, keeps the old certificate, and deletes the old key', async () => {
    const { output: before } = await run();
    const { code, output } = await run('rotate');
    assert.equal(code, 0);
    assert.match(
      output,
      /This CA is new: clients have to trust it.*\nThe old one is .*ca-until-[\dT-]+\.pem; its key is deleted/,
    );
    const fingerprint = /SHA-256 {2}(\S+)/;
    assert.notEqual(fingerprint.exec(output)?.[1], fingerprint.exec(before)?.[1]);
    assert.deepEqual(
      readdirSync(conf('')).filter((file) => file.endsWith('.key')),
      ['ca.key'],
    );
    assert.equal(statSync(conf('ca.key')).mode & 0o777, 0o600);
    const [old = ''] = readdirSync(conf('')).filter((file) => file.startsWith('ca-until-'));
    assert.equal(new X509Certificate(readFileSync(conf(old))).fingerprint256, fingerprint.exec(before)?.[1]);
  });

  it('rotate --only makes one that clients believe for these names, and for no others', async (t) => {
    const { output } = await run('rotate', '--only', 'githubcopilot.com');
    assert.match(output, /only for githubcopilot\.com/);
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const args = ['-s', 'ok.ts', '--allow-hosts', '.'];
    const proxy = await ProxyProcess.start({
      args,
      files: { 'ok.ts': 'export function request() {}' },
      upstream: fake,
      folder,
    });
    t.after(() => proxy.stop({ keep: true }));
    const ask = (host: string) =>
      curl(proxy, undefined, '-o', '/dev/null', '-w', '%{http_code}', `https://${host}/models`);
    assert.equal((await ask(API_HOST)).stdout, '200');
    const refused = await ask('example.com');
    // curl: the certificate cannot be verified.
    assert.equal(refused.code, 60, refused.stderr);
  });

  it('refuses what it cannot do, as wrong usage', async () => {
    const { code, output } = await run('rotten');
    assert.equal(code, 2);
    assert.match(output, /^insight-dump: .*rotten/s);
  });
});
