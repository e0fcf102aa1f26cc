import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import auth from '../../addons/auth.ts';
import { basic } from '../clients.ts';
import { type AddonTest, makeTunnel, testAddon } from '../kit.ts';
import { makeFolder } from '../proxy-process.ts';

describe('the auth addon', () => {
  let folder: string;
  const tests: AddonTest[] = [];
  beforeEach(() => {
    folder = makeFolder();
  });
  afterEach(async () => {
    for (const test of tests.splice(0)) await test.stop();
    rmSync(folder, { recursive: true });
  });

  const file = () => path.join(folder, 'user_auth.json');
  const passwords = () => JSON.parse(readFileSync(file(), 'utf8')) as Record<string, string>;
  const start = async (options: object) => {
    const test = await testAddon(auth, { options: { ...options }, logs: folder, confdir: folder });
    tests.push(test);
    return test;
  };
  const ask = (test: AddonTest, header?: string, address = '10.0.0.1') =>
    test.connect(makeTunnel({ address, headers: header === undefined ? {} : { 'Proxy-Authorization': header } }));

  it('gives each user a password of their own, in a file for the owner only', async () => {
    await start({ users: ['alice', 'bob'] });
    const { alice, bob } = passwords();
    assert.match(`${alice} ${bob}`, /^[0-9a-f]{24} [0-9a-f]{24}$/);
    assert.notEqual(alice, bob);
    assert.equal(statSync(file()).mode & 0o777, 0o600);
    assert.equal(statSync(path.join(folder, 'auth.secret')).mode & 0o777, 0o600);
  });

  it('says who it is, or denies', async () => {
    const test = await start({ users: ['alice'] });
    const right = await ask(test, basic('alice', passwords().alice as string));
    assert.deepEqual([right.decision, right.client.user], ['intercept', 'alice']);
    for (const header of [undefined, basic('alice', 'x'), basic('bob', 'x'), 'Basic', 'Digest x']) {
      const { decision, answer, client } = await ask(test, header);
      assert.deepEqual([decision, client.user, answer?.status], ['deny', undefined, 407], header);
    }
  });

  it('takes a password for none when it is empty, and makes a better one', async () => {
    writeFileSync(file(), JSON.stringify({ alice: '', bob: 5 }));
    const test = await start({ users: ['alice', 'bob'] });
    assert.match(`${passwords().alice} ${passwords().bob}`, /^[0-9a-f]{24} [0-9a-f]{24}$/);
    assert.equal((await ask(test, basic('alice', ''))).decision, 'deny');
  });

  it('takes the same name in other code points for the same', async () => {
    const test = await start({ users: ['zoë'.normalize('NFC')] });
    const { client } = await ask(test, basic('zoë'.normalize('NFD'), passwords()['zoë'.normalize('NFC')] as string));
    assert.equal(client.user, 'zoë'.normalize('NFC'));
  });

  it('makes passwords for users who are added while it runs, and shuts out those who are taken off', async () => {
    const test = await start({ users: ['alice'] });
    const password = passwords().alice as string;
    await test.configure({ users: ['bob'] });
    assert.equal((await ask(test, basic('alice', password))).decision, 'deny');
    assert.equal((await ask(test, basic('bob', passwords().bob as string))).client.user, 'bob');
    assert.equal(passwords().alice, password);
  });

  it('refuses a user name with a colon, and a short secret without showing it', async () => {
    await assert.rejects(start({ users: ['a:b'] }), { message: /users\.0: a user name cannot hold a colon/ });
    await assert.rejects(
      start({ secret: 'hunter2' }),
      ({ message }: Error) => /secret: /.test(message) && !/hunter2/.test(message),
    );
  });

  it('slows down who keeps on guessing, and nobody else', async () => {
    const test = await start({ users: ['alice'] });
    for (let i = 0; i < 30; i++) await ask(test, basic('alice', `guess ${i}`));
    let began = performance.now();
    await ask(test, basic('alice', 'guess'));
    assert.ok(performance.now() - began > 900);
    began = performance.now();
    await ask(test, basic('alice', 'guess'), '10.0.0.2');
    await ask(test, basic('alice', passwords().alice as string));
    assert.ok(performance.now() - began < 500);
  });

  it('refuses who guesses so much that no more answers can be held back, and lets right ones in meanwhile', async () => {
    const test = await start({ users: ['alice'] });
    for (let i = 0; i < 30; i++) await ask(test, basic('alice', `guess ${i}`));
    const held = Array.from({ length: 10 }, (_, i) => ask(test, basic('alice', `held ${i}`)));
    for (let i = 0; i < 10; i++) {
      const { answer } = await ask(test, basic('alice', `refused ${i}`));
      assert.equal(answer?.status, 429);
    }
    assert.equal((await ask(test, basic('alice', passwords().alice as string))).client.user, 'alice');
    for (const { answer } of await Promise.all(held)) assert.equal(answer?.status, 407);
  });

  it('says that somebody is here once, not for each of an editor’s many connections', async () => {
    const test = await start({ users: ['alice'] });
    for (let i = 0; i < 5; i++) await ask(test, basic('alice', passwords().alice as string));
    assert.equal(test.log.of('info').filter((line) => line.includes('alice is here')).length, 1);
  });

  it('lets nothing of a name or password speak on the console', async () => {
    const test = await start({ users: ['alice'] });
    await ask(test, basic('eve\u001b[2J', 's3cret'));
    const all = test.log.of('debug', 'info', 'warn', 'error').join('\n');
    assert.match(all, /wrong credentials for eve·\[2J/);
    assert.doesNotMatch(all, /s3cret/);
  });
});
