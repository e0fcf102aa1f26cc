import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { describe, it } from 'node:test';
import { eventually } from '../../proxy-process.ts';
import { type AuthStage, ask, setAuthStage } from './auth-stage.ts';

const ADDRESS = '10.0.0.7';
const DAY_MS = 24 * 60 * 60 * 1_000;

describe('a client that sends no credentials', () => {
  let stage: AuthStage;
  setAuthStage((each) => {
    stage = each;
  });

  const REMEMBER = { users: ['alice', 'bob'], rememberClients: true };
  const comeAs = async (user: string, options: object = REMEMBER) => {
    const test = await stage.start(options);
    await ask(test, [user, stage.password(user)], ADDRESS);
    return test;
  };

  it('is asked for them, if clients are not to be remembered', async () => {
    const test = await comeAs('alice', { users: ['alice'] });
    assert.equal((await ask(test, undefined, ADDRESS)).answer?.status, 407);
    await stage.stop();
    assert.ok(!existsSync(stage.path('usernames.json')));
  });

  it('is taken for the last user from its address, and from no other', async () => {
    const test = await comeAs('alice', { ...REMEMBER, groups: { red: ['bob'] } });
    await ask(test, ['bob', stage.password('bob')], ADDRESS);
    const { client, decision } = await ask(test, undefined, ADDRESS);
    assert.deepEqual([decision, client.user, client.groups], ['intercept', 'bob', ['red']]);
    assert.equal((await ask(test, undefined, '10.0.0.8')).answer?.status, 407);
    assert.match(test.log.of('warn').join('\n'), /last user from that address, also where many share one \(NAT\)/);
  });

  it('is never taken for anybody when its password is wrong', async () => {
    const test = await comeAs('alice');
    assert.equal((await ask(test, ['alice', 'wrong'], ADDRESS)).answer?.status, 407);
    assert.equal((await ask(test, ['alice', ''], ADDRESS)).answer?.status, 407);
  });

  it('is known after a restart, from a file for the owner only', async () => {
    await comeAs('alice');
    await stage.stop();
    assert.deepEqual(JSON.parse(stage.read('usernames.json')), { [ADDRESS]: 'alice' });
    assert.equal(statSync(stage.path('usernames.json')).mode & 0o777, 0o600);
    const test = await stage.start(REMEMBER);
    assert.equal((await ask(test, undefined, ADDRESS)).client.user, 'alice');
  });

  it('is written down soon, not at the end only', async () => {
    await comeAs('alice');
    await eventually('it is in the file', () => existsSync(stage.path('usernames.json')));
  });

  it('is forgotten after as many days as the options say', async () => {
    const seen = (days: number) => new Date(Date.now() - days * DAY_MS).toISOString();
    stage.write('usernames.json', {
      [ADDRESS]: { user: 'alice', seen: seen(6) },
      '10.0.0.8': { user: 'alice', seen: seen(8) },
      '10.0.0.9': 'bob',
    });
    const test = await stage.start({ ...REMEMBER, rememberDays: 7 });
    const users = [ADDRESS, '10.0.0.8', '10.0.0.9'].map(async (each) => (await ask(test, undefined, each)).client.user);
    assert.deepEqual(await Promise.all(users), ['alice', undefined, 'bob']);
    await ask(test, ['bob', stage.password('bob')], '10.0.0.10');
    await stage.stop();
    const { user, seen: written } = JSON.parse(stage.read('usernames.json'))['10.0.0.10'];
    assert.equal(user, 'bob');
    assert.ok(Date.now() - Date.parse(written) < 60_000);
  });

  it('is nobody when its last user is one no more, or is disabled', async () => {
    const test = await comeAs('alice');
    await test.configure({ ...REMEMBER, disabled: ['alice'] });
    assert.equal((await ask(test, undefined, ADDRESS)).answer?.status, 407);
    await test.configure({ ...REMEMBER, users: ['bob'] });
    assert.equal((await ask(test, undefined, ADDRESS)).answer?.status, 407);
  });

  it('is not looked for in a file that is none, which stays as it is', async () => {
    stage.write('usernames.json', '["secret-word"]');
    await assert.rejects(stage.start(REMEMBER), ({ message }: Error) => {
      assert.match(message, /usernames\.json is no JSON object of \{"address": "user"\}; repair it or move it away/);
      return !/secret-word/.test(message);
    });
    assert.equal(stage.read('usernames.json'), '["secret-word"]');
  });
});
