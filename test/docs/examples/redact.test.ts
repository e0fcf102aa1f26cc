import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { brotliCompressSync, gzipSync } from 'node:zlib';
import { makeFlow } from '../../kit.ts';
import { CHAT, startExample } from '../example.ts';

// Put together here, so that nobody's scanner takes them for real.
const GITHUB = `ghp_${'aB3'.repeat(12)}`;
const FINE_GRAINED = `github_pat_${'11ABC'.repeat(5)}_${'x9'.repeat(20)}`;
const AWS = `AKIA${'Q7'.repeat(8)}`;
const dashes = (words: string) => `-----${words} PRIVATE KEY-----`;
const KEY = `${dashes('BEGIN RSA')}\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\nMIIE+/==\n${dashes('END RSA')}`;

const chat = (content: string) => JSON.stringify({ messages: [{ role: 'user', content }], temperature: 0.1 });

describe('redact', () => {
  for (const [what, secret] of [
    ['a GitHub token', GITHUB],
    ['a GitHub app’s token', GITHUB.replace('ghp', 'ghs')],
    ['a fine-grained GitHub token', FINE_GRAINED],
    ['an AWS access key', AWS],
    ['a private key', KEY],
    ['a private key of another kind', KEY.replaceAll('RSA ', '')],
    ['a private key in Windows’ lines', KEY.replaceAll('\n', '\r\n')],
    ['a private key within JSON within a text', JSON.stringify(KEY).slice(1, -1)],
  ] as const) {
    it(`takes ${what} out of a chat, wherever it stands`, async (t) => {
      const example = await startExample(t, 'redact');
      for (const [before, after] of [
        ['', ''],
        ['a "', '" b'],
        ['line\n', '\nline'],
        ['TOKEN=', '; export'],
        ['你好', '👩‍💻'],
        ['C:\\', '\\x'],
      ]) {
        const { sent } = await example.run(makeFlow({ url: CHAT, body: chat(before + secret + after) }));
        assert.equal(sent?.body, chat(`${before}[redacted 1]${after}`));
      }
    });
  }

  it('takes a private key out whose end was cut off', async (t) => {
    const example = await startExample(t, 'redact');
    const { sent } = await example.run(makeFlow({ url: CHAT, body: chat(`Explain: ${KEY.slice(0, 90)}`) }));
    assert.equal(sent?.body, chat('Explain: [redacted 1]'));
  });

  it('reaches from no text of a chat into another', async (t) => {
    const example = await startExample(t, 'redact', { patterns: ['password=\\S+'] });
    const body = '{"messages":[{"content":"password=hunter2"},{"content":"b"}]}';
    const { sent } = await example.run(makeFlow({ url: CHAT, body }));
    assert.deepEqual(JSON.parse(sent?.body ?? ''), { messages: [{ content: '[redacted 1]' }, { content: 'b' }] });
  });

  it('takes secrets out of what is no JSON', async (t) => {
    const example = await startExample(t, 'redact');
    const { sent } = await example.run(makeFlow({ url: CHAT, body: `a=${AWS}&b={` }));
    assert.equal(sent?.body, 'a=[redacted 1]&b={');
  });

  it('leaves all other bytes of binary content as they are', async (t) => {
    const example = await startExample(t, 'redact');
    const noise = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));
    const { sent } = await example.run(makeFlow({ url: CHAT, body: Buffer.concat([noise, Buffer.from(AWS), noise]) }));
    assert.deepEqual(sent?.bytes, Buffer.concat([noise, Buffer.from('[redacted 1]'), noise]));
  });

  for (const [coding, compress] of [
    ['gzip', gzipSync],
    ['br', brotliCompressSync],
  ] as const) {
    it(`looks into a body that is compressed by ${coding}`, async (t) => {
      const example = await startExample(t, 'redact');
      const headers = { 'content-encoding': coding };
      const { sent } = await example.run(makeFlow({ url: CHAT, headers, body: compress(chat(AWS)) }));
      assert.deepEqual([sent?.body, sent?.headers.get('content-encoding')], [chat('[redacted 1]'), undefined]);
    });
  }

  it('lets nothing out that unpacks to more than can be read', async (t) => {
    const example = await startExample(t, 'redact');
    const body = gzipSync(AWS + ' '.repeat(65 * 1024 * 1024));
    const { sent } = await example.run(makeFlow({ url: CHAT, headers: { 'content-encoding': 'gzip' }, body }));
    assert.equal(sent, undefined);
  });

  const gzipped = gzipSync(chat('x'));
  for (const [what, headers, body] of [
    ['JSON', {}, '{ "seed": 12345678901234567890, "n": 1.0, "text": "AKIA is no key" }'],
    ['a text with a byte order mark', {}, '\ufeffplain'],
    ['a compressed body', { 'content-encoding': 'gzip' }, gzipped],
    ['what looks like a key in base64', {}, `"${AWS}abc"`],
    ['an empty body', {}, ''],
  ] as const) {
    it(`leaves ${what} without a secret as it is, byte by byte`, async (t) => {
      const example = await startExample(t, 'redact');
      const { sent } = await example.run(makeFlow({ url: CHAT, method: 'POST', headers, body }));
      assert.deepEqual(sent?.bytes, Buffer.from(body));
      assert.deepEqual(example.log.of('info'), []);
    });
  }

  it('finds a secret that comes in several chunks', async (t) => {
    const example = await startExample(t, 'redact');
    const body = Buffer.from(chat(`你${GITHUB}`));
    const bytes = Array.from(body, (byte) => Uint8Array.of(byte));
    assert.equal((await example.run(makeFlow({ url: CHAT, body: bytes }))).sent?.body, chat('你[redacted 1]'));
  });

  it('copes with huge bodies', async (t) => {
    const example = await startExample(t, 'redact');
    const huge = `${'gh'.repeat(2e6)}${'x'.repeat(2e6)}${dashes('BEGIN')}${'-'.repeat(2e6)}`;
    const { sent } = await example.run(makeFlow({ url: CHAT, body: chat(huge) }));
    assert.equal(sent?.body, chat(`${'gh'.repeat(2e6)}${'x'.repeat(2e6)}[redacted 1]`));
  });

  it('says how many there were, and never which', async (t) => {
    const example = await startExample(t, 'redact');
    await example.run(makeFlow({ url: `${CHAT}?key=${AWS}`, body: chat(`${AWS} ${GITHUB} ${AWS}`) }));
    assert.deepEqual(example.log.of('debug', 'info', 'warn', 'error'), [
      '🙈 secrets taken out of a request to api.githubcopilot.com: 3',
    ]);
  });

  it('looks for your own patterns instead', async (t) => {
    const example = await startExample(t, 'redact', { patterns: ['hunter\\d', '秘密'] });
    const { sent } = await example.run(makeFlow({ url: CHAT, body: chat(`hunter2 秘密 ${AWS}`) }));
    assert.equal(sent?.body, chat(`[redacted 1] [redacted 2] ${AWS}`));
  });

  it('takes nothing for a secret where a pattern matches nothing', async (t) => {
    const example = await startExample(t, 'redact', { patterns: ['', '\\b', 'z*'] });
    const { sent } = await example.run(makeFlow({ url: CHAT, body: chat('a zz b') }));
    assert.equal(sent?.body, chat('a [redacted 1] b'));
  });

  it('refuses a pattern that is none, and says which', async (t) => {
    await assert.rejects(startExample(t, 'redact', { patterns: ['ok', 'a('] }), {
      code: 'lifecycleFailed',
      message: /addon redact failed in configure: Invalid regular expression: \/a\(\/: Unterminated group$/,
    });
  });

  it('keeps the old patterns when new ones are refused', async (t) => {
    const example = await startExample(t, 'redact', { patterns: ['hunter\\d'] });
    await assert.rejects(example.configure({ patterns: ['['] }));
    const { sent } = await example.run(makeFlow({ url: CHAT, body: 'hunter2' }));
    assert.equal(sent?.body, '[redacted 1]');
  });
});
