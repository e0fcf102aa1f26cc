import assert from 'node:assert/strict';
import { mkdirSync, rmSync } from 'node:fs';
import { describe, it } from 'node:test';
import type { AddonTest } from '../../kit.ts';
import { eventually } from '../../proxy-process.ts';
import { type AuthStage, ask, setAuthStage } from './auth-stage.ts';

const RIGHT = '{SHA}0nofEXcSAJSXFLGvmfBIpBb11vQ=';

describe('the files of users', () => {
  let stage: AuthStage;
  setAuthStage((each) => {
    stage = each;
  });

  let tries = 0;
  /** From another address each time: wrong tries are slowed down. */
  const isIn = async (test: AddonTest, user: string, password = 'right') => {
    tries += 1;
    return (await ask(test, [user, password], `10.1.${tries >> 8}.${tries & 255}`)).client.user === user;
  };
  const warnings = (test: AddonTest) => test.log.of('warn', 'error');

  it('count as they are edited, while it runs', async () => {
    stage.write('htpasswd', `alice:${RIGHT}\n`);
    const test = await stage.start({ htpasswd: 'htpasswd', groups: 'groups' });
    assert.ok(await isIn(test, 'alice'));
    stage.write('htpasswd', `bob:${RIGHT}\n`);
    await eventually('bob is a user', () => isIn(test, 'bob'));
    assert.ok(!(await isIn(test, 'alice')));
    stage.write('groups', 'red: bob\nblue: bob\n');
    await eventually('bob is in groups', async () => (await ask(test, ['bob', 'right'])).client.groups.length === 2);
    stage.write('user_auth.json', { carol: { password: 'hers', groups: ['green'] } });
    await eventually('carol is a user', () => isIn(test, 'carol', 'hers'));
    assert.deepEqual((await ask(test, ['carol', 'hers'])).client.groups, ['green']);
  });

  it('have broken lines that are named, once', async () => {
    stage.write('htpasswd', `nonsense\nalice:${RIGHT}\n`);
    const test = await stage.start({ htpasswd: 'htpasswd' });
    assert.equal(warnings(test).length, 1);
    assert.match(warnings(test)[0] ?? '', /htpasswd: line 1: expected user:hash; the line is ignored$/);
    stage.write('htpasswd', `nonsense\nalice:${RIGHT}\nbob:plain\n`);
    await eventually('the other line is named', () => warnings(test).length > 1);
    assert.match(warnings(test)[1] ?? '', /htpasswd: line 3: bob: /);
    assert.equal(warnings(test).length, 2);
    assert.ok(await isIn(test, 'alice'));
  });

  for (const [what, breakIt] of [
    ['gone', (file: string) => rmSync(file)],
    [
      'replaced by a folder',
      (file: string) => {
        rmSync(file);
        mkdirSync(file);
      },
    ],
  ] as const) {
    it(`count as they were while one is ${what}, which is said once`, async () => {
      stage.write('htpasswd', `alice:${RIGHT}\n`);
      const test = await stage.start({ htpasswd: 'htpasswd' });
      breakIt(stage.path('htpasswd'));
      await eventually('it is said', () => warnings(test).length > 0);
      stage.write('user_auth.json', { bob: { password: 'his' } });
      await eventually('bob is a user', () => isIn(test, 'bob', 'his'));
      assert.ok(await isIn(test, 'alice'));
      assert.equal(warnings(test).length, 1);
      assert.match(warnings(test)[0] ?? '', /^cannot read .*htpasswd: E.*; what was read before still counts$/);
      rmSync(stage.path('htpasswd'), { recursive: true, force: true });
      stage.write('htpasswd', `carol:${RIGHT}\n`);
      await eventually('carol is a user', () => isIn(test, 'carol'));
      assert.ok(!(await isIn(test, 'alice')));
    });
  }

  it('count as they were while the password file is no JSON', async () => {
    const test = await stage.start({ users: ['alice'] });
    const password = stage.password('alice');
    stage.write('user_auth.json', '{"alice": "secret-word"');
    await eventually('it is said', () => warnings(test).length > 0);
    assert.match(warnings(test)[0] ?? '', /is no JSON object.*; what was read before still counts/);
    assert.doesNotMatch(warnings(test).join(), /secret-word/);
    assert.ok(await isIn(test, 'alice', password));
  });

  it('may not be there yet', async () => {
    const test = await stage.start({ htpasswd: 'htpasswd' });
    assert.match(warnings(test)[0] ?? '', /there is no file .*htpasswd yet/);
    stage.write('htpasswd', `alice:${RIGHT}\n`);
    await eventually('alice is a user', () => isIn(test, 'alice'));
  });

  it('keep the addon from starting when one is there and cannot be read', async () => {
    mkdirSync(stage.path('htpasswd'));
    await assert.rejects(stage.start({ htpasswd: 'htpasswd' }), /cannot read .*htpasswd: EISDIR/);
  });

  it('lose nothing that is read while the options change', async () => {
    const test = await stage.start({ users: ['alice'] });
    for (let i = 0; i < 10; i++) {
      stage.write('user_auth.json', { alice: `password ${i}`, bob: { password: 'x' } });
      await test.configure({ users: ['alice'], disabled: i % 2 === 0 ? ['bob'] : [] });
      assert.ok(await isIn(test, 'alice', `password ${i}`));
      assert.equal((await ask(test, ['bob', 'x'])).answer?.status, i % 2 === 0 ? 403 : undefined);
    }
  });
});
