import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import bcrypt from 'bcryptjs';
import { tryTunnel } from '../clients.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

const FIXTURE = readFileSync(new URL('../fixtures/auth/users.htpasswd', import.meta.url), 'utf8');
const PASSWORDS = {
  bcrypt: 'in bcrypt',
  'bcrypt-a': 'in 2a',
  'bcrypt-b': 'in 2b',
  apr1: 'in apr1',
  sha: 'in sha',
  zoë: 'pä:ss:wörd',
  'apr1-zoë': 'pä:ss:wörd',
  'sha-zoë': 'pä:ss:wörd',
};

describe('an htpasswd file', () => {
  let proxy: ProxyProcess;
  setStage(
    {
      config: `export default { addons: [{ script: 'addons/auth.ts', required: true }, 'tell.ts'],
        options: { auth: { htpasswd: 'etc/users', groups: 'etc/groups', users: ['alice'] } } };`,
      files: {
        'etc/users': `${FIXTURE}slow:${bcrypt.hashSync('in slow', 11)}\n`,
        'etc/groups': readFileSync(new URL('../fixtures/auth/groups', import.meta.url), 'utf8'),
        'tell.ts': `export function connect({ client }, ctx) { ctx.log.info(client.user + ' of [' + client.groups + ']'); }`,
      },
    },
    undefined,
    (stage) => {
      ({ proxy } = stage);
    },
  );

  const connect = async (user: string, password: string, encoding?: BufferEncoding) =>
    (await tryTunnel(proxy, API_HOST, user, password, encoding)).status;

  for (const [user, password] of Object.entries(PASSWORDS)) {
    it(`lets ${user} in with the right password, in UTF-8 and in Latin-1, and with no other`, async () => {
      assert.equal(await connect(user, password), 200);
      assert.equal(await connect(user, password, 'latin1'), 200);
      assert.equal(await connect(user, `${password}!`), 407);
    });
  }

  it('has its users beside those of the config, and says so', async () => {
    await proxy.said(/users: alice; their passwords are in logs\/user_auth\.json/);
    await proxy.said(/users: bcrypt, apr1, sha, .*; their passwords are in etc\/users/);
    assert.equal(await connect('alice', proxy.password('alice')), 200);
  });

  it('tells other addons of the groups that a group file puts its users in', async () => {
    await connect('sha', 'in sha');
    await proxy.said(/sha of \[red,blue\]/);
  });

  it('counts as it is edited, and its broken lines are named', async () => {
    const since = proxy.output.length;
    proxy.write('etc/users', `${FIXTURE}bob:plain-text\ncarol:{SHA}nzIm84E2qbwxHtpWDgHFU4og3z8=\n`);
    await proxy.said(/etc\/users: line 10: bob: .*; the line is ignored/, since);
    await eventually('carol is a user', async () => (await connect('carol', 'in sha')) === 200);
    assert.equal(await connect('bob', 'plain-text'), 407);
    assert.doesNotMatch(proxy.output, /plain-text/);
  });

  it('opens an editor’s many tunnels at the price of one check', async () => {
    proxy.write('etc/users', `${FIXTURE}slow:${bcrypt.hashSync('in slow', 11)}\n`);
    await eventually('slow is a user', async () => (await connect('slow', 'in slow')) === 200);
    const began = performance.now();
    await connect('slow', 'wrong');
    const once = performance.now() - began;
    const statuses = await Promise.all(Array.from({ length: 60 }, () => connect('slow', 'in slow')));
    assert.ok(statuses.every((status) => status === 200));
    assert.ok(performance.now() - began < 20 * once + 2_000);
  });

  it('keeps nobody who is right waiting while somebody guesses', async () => {
    let ended = 0;
    const guesses = Array.from({ length: 8 }, async (_, i) => {
      await connect('slow', `guess ${i}`);
      ended += 1;
    });
    assert.equal(await connect('slow', 'in slow'), 200);
    assert.ok(ended < 4, `${ended} guesses ended first`);
    await Promise.all(guesses);
  });
});
