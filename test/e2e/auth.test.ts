import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { basic, curl, RawConnection } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { setStage } from '../stage.ts';

const HOST = 'api.individual.githubcopilot.com';
const CONNECT = [`CONNECT ${HOST}:443 HTTP/1.1`, `Host: ${HOST}:443`];
const CONFIG = `import { defineConfig } from 'insight-dump';
  export default defineConfig({
    addons: [{ script: 'addons/auth.ts', required: true }],
    options: { auth: { users: ['alice', 'bob', 'zoë', 'colon', 'given', 'empty'] } },
  });`;

describe('proxy authentication', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  setStage({ config: CONFIG }, undefined, (stage) => {
    ({ fake, proxy } = stage);
  });

  it('answers CONNECT without credentials with 407, and the upstream sees no connection', async () => {
    const before = fake.connections;
    const connection = await RawConnection.open(proxy.port);
    const { status, text } = await connection.ask(...CONNECT);
    assert.equal(status, 407);
    assert.match(text, /^proxy-authenticate: Basic realm="insight-dump"\r$/im);
    assert.equal(fake.connections, before);
    connection.socket.destroy();
  });

  it('refuses a wrong password, then lets the right one through on the same connection', async () => {
    const before = fake.connections;
    const connection = await RawConnection.open(proxy.port);
    const wrong = await connection.ask(...CONNECT, `Proxy-Authorization: ${basic('alice', 'wrong')}`);
    assert.equal(wrong.status, 407);
    assert.equal(fake.connections, before);
    const right = await connection.ask(...CONNECT, `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`);
    assert.equal(right.status, 200);
    connection.socket.destroy();
  });

  it('refuses a user who is not on the list, and one user with the password of another', async () => {
    for (const [user, password] of [
      ['mallory', proxy.password('alice')],
      ['alice', proxy.password('bob')],
      ['alice', ''],
      ['', ''],
    ] as const) {
      const connection = await RawConnection.open(proxy.port);
      const { status } = await connection.ask(...CONNECT, `Proxy-Authorization: ${basic(user, password)}`);
      assert.equal(status, 407, `${user}:${password}`);
      connection.socket.destroy();
    }
  });

  it('takes credentials in UTF-8 and in Latin-1', async () => {
    for (const encoding of ['utf8', 'latin1'] as const) {
      const connection = await RawConnection.open(proxy.port);
      const authorization = basic('zoë', proxy.password('zoë'), encoding);
      const { status } = await connection.ask(...CONNECT, `Proxy-Authorization: ${authorization}`);
      assert.equal(status, 200, encoding);
      connection.socket.destroy();
    }
  });

  it('takes the scheme in any case, and refuses what is no Basic at all', async () => {
    const credentials = basic('alice', proxy.password('alice')).slice('Basic '.length);
    for (const [header, expected] of [
      [`basic ${credentials}`, 200],
      [`BASIC  ${credentials}`, 200],
      [`Bearer ${credentials}`, 407],
      ['Basic', 407],
      ['Basic !!!', 407],
      [`Basic ${Buffer.from('no colon').toString('base64')}`, 407],
    ] as const) {
      const connection = await RawConnection.open(proxy.port);
      const { status } = await connection.ask(...CONNECT, `Proxy-Authorization: ${header}`);
      assert.equal(status, expected, header);
      connection.socket.destroy();
    }
  });

  it('keeps passwords that an administrator writes into the file, with colons in them, without a restart', async () => {
    const entries = JSON.parse(proxy.read('logs/user_auth.json'));
    proxy.write('logs/user_auth.json', JSON.stringify({ ...entries, colon: 'a:b:c', given: 'päss wörd' }));
    for (const [user, password] of [
      ['colon', 'a:b:c'],
      ['given', 'päss wörd'],
    ] as const) {
      await eventually(`${user} is let in`, async () => {
        const connection = await RawConnection.open(proxy.port);
        const { status } = await connection.ask(...CONNECT, `Proxy-Authorization: ${basic(user, password)}`);
        connection.socket.destroy();
        return status === 200;
      });
    }
  });

  it('does not let in a user whose password in the file is empty', async () => {
    const entries = JSON.parse(proxy.read('logs/user_auth.json'));
    proxy.write('logs/user_auth.json', JSON.stringify({ ...entries, empty: '', bob: 'changed' }));
    await eventually('the file has been read', async () => {
      const connection = await RawConnection.open(proxy.port);
      const { status } = await connection.ask(...CONNECT, `Proxy-Authorization: ${basic('bob', 'changed')}`);
      connection.socket.destroy();
      return status === 200;
    });
    const connection = await RawConnection.open(proxy.port);
    const { status } = await connection.ask(...CONNECT, `Proxy-Authorization: ${basic('empty', '')}`);
    assert.equal(status, 407);
    connection.socket.destroy();
  });

  it('takes CONNECT of HTTP/1.0 without Host, as Python sends it', async () => {
    const connection = await RawConnection.open(proxy.port);
    const authorization = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
    const { status } = await connection.ask(`CONNECT ${HOST}:443 HTTP/1.0`, authorization);
    assert.equal(status, 200);
    connection.socket.destroy();
  });

  it('does not end a tunnel because CONNECT said Connection: close, as the language server does', async () => {
    const { code, stdout } = await curl(
      proxy,
      'alice',
      '--proxy-header',
      'Connection: close',
      `https://${HOST}/models`,
      `https://${HOST}/models`,
    );
    assert.equal(code, 0);
    assert.equal(stdout.match(/gpt-4\.1/g)?.length, 2);
  });

  it('lets a client that asks what is wanted first come back on the same connection', async () => {
    const result = await curl(proxy, 'alice', '-v', '--proxy-anyauth', `https://${HOST}/models`);
    assert.equal(result.code, 0);
    assert.match(result.stderr, /407 Proxy Authentication Required/);
    assert.match(result.stderr, /Re-using existing connection|Connected to 127\.0\.0\.1/);
    assert.doesNotMatch(result.stderr, /Connection #1/);
  });

  it('asks for each plain request by itself, also on one connection', async () => {
    const connection = await RawConnection.open(proxy.port);
    const get = ['GET http://example.com/plain HTTP/1.1', 'Host: example.com'];
    const before = fake.requests.length;
    assert.equal((await connection.ask(...get)).status, 407);
    assert.equal(fake.requests.length, before);
    const authorization = `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
    assert.equal((await connection.ask(...get, authorization)).status, 200);
    assert.equal((await connection.ask(...get)).status, 407);
    assert.equal(fake.requests.length, before + 1);
    connection.socket.destroy();
  });

  it('sends no proxy credentials upstream', async () => {
    await curl(proxy, 'alice', `https://${HOST}/echo`, 'http://example.com/echo');
    for (const { headers } of fake.requests) {
      assert.equal(headers['proxy-authorization'], undefined);
      assert.equal(headers['proxy-connection'], undefined);
    }
  });

  it('does not lock out an editor that tries a wrong password some twenty times', async (t) => {
    // The others have been wrong as well, from the same address.
    const proxy = await ProxyProcess.start({ config: CONFIG, upstream: fake });
    t.after(() => proxy.stop());
    for (let i = 0; i < 22; i++) {
      const connection = await RawConnection.open(proxy.port);
      await connection.ask(...CONNECT, `Proxy-Authorization: ${basic('alice', 'wrong')}`);
      connection.socket.destroy();
    }
    const connection = await RawConnection.open(proxy.port);
    const right = await connection.ask(...CONNECT, `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`);
    assert.equal(right.status, 200);
    connection.socket.destroy();
  });
});

describe('the password file', () => {
  it('carries over the entries of the seed, and adds those that are missing', async () => {
    const proxy = await ProxyProcess.start({
      config: `export default { addons: ['addons/auth.ts'], logs: '.', options: { auth: { users: ['alice', 'bob'] } } };`,
      files: { 'user_auth.json': JSON.stringify({ alice: '961aa8753b', carol: 'left alone' }) },
    });
    try {
      const entries = JSON.parse(proxy.read('user_auth.json'));
      assert.equal(entries.alice, '961aa8753b');
      assert.equal(entries.carol, 'left alone');
      assert.match(entries.bob, /^[0-9a-f]{24}$/);
    } finally {
      await proxy.stop();
    }
  });

  it('is not overwritten when it cannot be read', async () => {
    const proxy = ProxyProcess.start({
      config: `export default { addons: ['addons/auth.ts'], logs: '.', options: { auth: { users: ['alice'] } } };`,
      files: { 'user_auth.json': '{"alice": "secret-word"' },
    });
    await assert.rejects(proxy, ({ message }: Error) => {
      assert.match(message, /user_auth\.json is no JSON object/);
      assert.doesNotMatch(message, /secret-word/);
      return true;
    });
  });

  it('gives the same passwords for the same secret, and others for another', async () => {
    const passwords = async (secret: string) => {
      const config = `export default { addons: ['addons/auth.ts'],
        options: { auth: { users: ['alice', 'bob'], secret: '${secret}' } } };`;
      const proxy = await ProxyProcess.start({ config });
      const all = proxy.read('logs/user_auth.json');
      await proxy.stop();
      return all;
    };
    const one = await passwords('0123456789abcdef');
    assert.equal(await passwords('0123456789abcdef'), one);
    assert.notEqual(await passwords('fedcba9876543210'), one);
  });
});

describe('auth that is not required', () => {
  it('lets anonymous users through under that name, and still refuses wrong credentials', async () => {
    const fake = await startFakeCopilot();
    const proxy = await ProxyProcess.start({
      upstream: fake,
      config: `export default { addons: ['addons/auth.ts', 'addons/usage.ts'],
        options: { auth: { users: ['alice'], required: false } } };`,
    });
    try {
      const body = JSON.stringify({ messages: [{ role: 'user', content: 'hi' }] });
      const { code } = await curl(proxy, undefined, `https://${HOST}/chat/completions`, '-d', body);
      assert.equal(code, 0);
      const [record] = await proxy.recorded(1);
      assert.equal(record?.['proxy-authorization'], 'anonymous');
      const connection = await RawConnection.open(proxy.port);
      const wrong = await connection.ask(...CONNECT, `Proxy-Authorization: ${basic('alice', 'wrong')}`);
      assert.equal(wrong.status, 407);
      connection.socket.destroy();
    } finally {
      await proxy.stop();
      await fake.close();
    }
  });
});
