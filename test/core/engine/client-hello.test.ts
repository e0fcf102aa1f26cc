import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { readClientHello } from '../../../core/engine/client-hello.ts';
import { clientHello } from '../../client-hello.ts';
import { extension, helloMessage, inRecords, serverNameExtension, vector } from '../../tls-hello.ts';

describe('a ClientHello', () => {
  const nameIn = (...extensions: readonly Uint8Array[]) => {
    const { kind, serverName } = readClientHello(inRecords(helloMessage(...extensions)));
    assert.equal(kind, 'hello');
    return serverName;
  };

  it('as Node sends it says which server it is for', async () => {
    assert.deepEqual(readClientHello(await clientHello('Api.GitHubCopilot.com')), {
      kind: 'hello',
      serverName: 'api.githubcopilot.com',
    });
  });

  it('names the server wherever that stands among its extensions', () => {
    const others = [extension(0xfafa, Buffer.alloc(0)), extension(21, Buffer.alloc(1_800))];
    assert.equal(nameIn(...others, serverNameExtension('a.com'), ...others), 'a.com');
  });

  it('may name none', () => {
    assert.equal(nameIn(), undefined);
    assert.equal(nameIn(extension(21, Buffer.alloc(3))), undefined);
    const anotherKindOfName = extension(0, vector(2, Uint8Array.of(1), vector(2, Buffer.from('a.com'))));
    assert.equal(nameIn(anotherKindOfName), undefined);
  });

  for (const [name, expected] of [
    ['A.Com.', 'a.com'],
    ['localhost', 'localhost'],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example'],
    ['_a-1.com', '_a-1.com'],
    // Clients must not send these, and some do.
    ['192.0.2.1', undefined],
    ['2001:db8::1', undefined],
    ['', undefined],
    ['.', undefined],
    ['a..com', undefined],
    ['*.com', undefined],
    ['a.com:443', undefined],
    ['a.com/x', undefined],
    ['a.com\0.b.com', undefined],
    ['a.com\r\nx', undefined],
    ['bücher.example', undefined],
    [`${'a.'.repeat(127)}com`, undefined],
  ] as const) {
    it(`that asks for ${JSON.stringify(name)} is for ${expected ?? 'no name'}`, () => {
      assert.equal(nameIn(serverNameExtension(name)), expected);
    });
  }

  it('is found whatever comes after it', () => {
    const early = Uint8Array.of(23, 3, 3, 0, 1, 0);
    const bytes = Buffer.concat([inRecords(helloMessage(serverNameExtension('a.com'))), early]);
    assert.equal(readClientHello(bytes).serverName, 'a.com');
  });

  for (const [what, bytes] of [
    ['a request', Buffer.from('GET / HTTP/1.1\r\n')],
    ['SSLv2', Buffer.from('802e0100020015000000100100800200', 'hex')],
    ['a TLS alert', Buffer.from('15030100020100', 'hex')],
    ['another handshake message', inRecords(Uint8Array.of(2, 0, 0, 0))],
    ['a record of no length', inRecords(Buffer.alloc(0))],
    ['a record that is too long', Buffer.from('16030140010100', 'hex')],
    ['a hello that another record breaks off', Buffer.concat([inRecords(Uint8Array.of(1, 0)), Uint8Array.of(23)])],
    ['a hello that ends within its fields', inRecords(Uint8Array.of(1, 0, 0, 2, 3, 3))],
    ['an extension that is longer than all', inRecords(helloMessage(Uint8Array.of(0, 0, 0, 9)))],
  ] as const) {
    it(`is not ${what}`, () => assert.equal(readClientHello(bytes).kind, 'other'));
  }
});
