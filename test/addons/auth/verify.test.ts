import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import bcrypt from 'bcryptjs';
import type { AddonTest } from '../../kit.ts';
import { type AuthStage, ask, setAuthStage } from './auth-stage.ts';

/** A tenth of a second to check, or some. */
const SLOW = bcrypt.hashSync('right', 11);
/** No machine checks one of that cost in less. */
const LEAST_CHECK_MS = 20;

describe('passwords that only a hash is kept of', () => {
  let stage: AuthStage;
  setAuthStage((each) => {
    stage = each;
  });

  const timed = async (test: AddonTest, user: string, password: string) => {
    const began = performance.now();
    const { client, answer } = await ask(test, [user, password]);
    return { user: client.user, status: answer?.status, ms: performance.now() - began };
  };

  it('are checked once for all the tunnels of an editor, also of those that it opens at once', async () => {
    stage.write('htpasswd', `alice:${SLOW}\n`);
    const test = await stage.start({ htpasswd: 'htpasswd' });
    const { ms: once } = await timed(test, 'alice', 'right');
    await stage.stop();
    const fresh = await stage.start({ htpasswd: 'htpasswd' });
    const began = performance.now();
    const all = await Promise.all(Array.from({ length: 40 }, () => ask(fresh, ['alice', 'right'])));
    for (let i = 0; i < 40; i++) all.push(await ask(fresh, ['alice', 'right']));
    assert.ok(all.every(({ client }) => client.user === 'alice'));
    assert.ok(performance.now() - began < 20 * once + 2_000);
  });

  it('take as long to refuse for a user that is none, or has another kind of password', async () => {
    stage.write('htpasswd', `alice:${SLOW}\nsha:{SHA}${createHash('sha1').update('right').digest('base64')}\n`);
    const test = await stage.start({ htpasswd: 'htpasswd', users: ['plain'] });
    for (const user of ['alice', 'nobody', 'sha', 'plain', '']) {
      const { status, ms } = await timed(test, user, `wrong for ${user}`);
      assert.equal(status, 407);
      assert.ok(ms > LEAST_CHECK_MS, `${user}: ${ms} ms`);
    }
  });

  it('take as long for each name that is none, however often the same password is tried', async () => {
    stage.write('htpasswd', `alice:${SLOW}\n`);
    const test = await stage.start({ htpasswd: 'htpasswd' });
    for (const user of ['nobody', 'alice', 'nobody else']) {
      const { ms } = await timed(test, user, 'the same');
      assert.ok(ms > LEAST_CHECK_MS, `${user}: ${ms} ms`);
    }
  });

  it('are checked anew when the hash has changed', async () => {
    stage.write('htpasswd', `alice:${bcrypt.hashSync('first', 4)}\n`);
    const test = await stage.start({ htpasswd: 'htpasswd' });
    assert.equal((await ask(test, ['alice', 'first'])).client.user, 'alice');
    stage.write('htpasswd', `alice:${bcrypt.hashSync('second', 4)}\n`);
    await test.configure({ htpasswd: 'htpasswd', disabled: ['x'] });
    assert.equal((await ask(test, ['alice', 'first'])).answer?.status, 407);
    assert.equal((await ask(test, ['alice', 'second'])).client.user, 'alice');
  });

  it('are right in whatever code points they were hashed', async () => {
    const forms = { nfc: 'pä:ss'.normalize('NFC'), nfd: 'pä:ss'.normalize('NFD') };
    stage.write('htpasswd', `nfc:${bcrypt.hashSync(forms.nfc, 4)}\nnfd:${bcrypt.hashSync(forms.nfd, 4)}\n`);
    const test = await stage.start({ htpasswd: 'htpasswd' });
    for (const user of ['nfc', 'nfd']) {
      for (const form of Object.values(forms)) assert.equal((await ask(test, [user, form])).client.user, user);
    }
  });

  it('keep nobody waiting who has been here before, however many guesses wait', async () => {
    stage.write('htpasswd', `alice:${SLOW}\n`);
    const test = await stage.start({ htpasswd: 'htpasswd' });
    await ask(test, ['alice', 'right']);
    let ended = 0;
    const guesses = Array.from({ length: 20 }, async (_, i) => {
      await ask(test, ['alice', `guess ${i}`], '10.0.0.9');
      ended += 1;
    });
    assert.equal((await ask(test, ['alice', 'right'])).client.user, 'alice');
    assert.ok(ended < 10, `${ended} guesses ended first`);
    await Promise.all(guesses);
  });
});
