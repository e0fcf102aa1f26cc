import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { type AuthOptions, options } from '../../../addons/auth/options.ts';
import { usersCommand } from '../../../addons/auth/users-command.ts';
import { makeFolder } from '../../proxy-process.ts';

const SHA = '{SHA}nzIm84E2qbwxHtpWDgHFU4og3z8=';

class Usage extends Error {
  override readonly name = 'Usage';
}

describe('the command users', () => {
  let folder: string;
  beforeEach(() => {
    folder = makeFolder();
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  /** What it prints, with paths as seen from the config, and columns as narrow as can be. */
  const users = async (given: Partial<AuthOptions>, ...args: readonly string[]) => {
    const text = await usersCommand(args, {
      options: options.parse(given),
      paths: { logs: path.join(folder, 'logs'), confdir: path.join(folder, 'conf'), config: folder },
      listen: { host: '127.0.0.1', port: 8080 },
      usage: (message) => new Usage(message),
    });
    return text.replaceAll(`${folder}/`, '').replace(/ {2,}/g, '  ');
  };
  const read = (file: string) => readFileSync(path.join(folder, file), 'utf8');
  const entries = () => JSON.parse(read('logs/user_auth.json'));

  it('lists users when it is not said what to do', async () => {
    assert.equal(await users({ users: ['alice'] }), 'USER  FROM  GROUPS  LAST SEEN\nalice  the config\n');
  });

  it('adds users with their groups, and shows them', async () => {
    const added = await users({}, 'add', 'zoë', '--group', 'red', '--group', 'blue');
    const [, url = ''] = /^zoë is added, in logs\/user_auth\.json\n(http:\S+)\n$/.exec(added) ?? [];
    const { password } = entries().zoë;
    assert.equal(url, `http://zo%C3%AB:${password}@127.0.0.1:8080`);
    assert.deepEqual(entries(), { zoë: { password, groups: ['red', 'blue'] } });
    assert.equal(await users({}, 'show', 'zoë'.normalize('NFD')), `${url}\n`);
  });

  it('keeps users in the htpasswd file if there is one, and their groups in the group file', async () => {
    const given = { htpasswd: 'users', groups: 'groups', disabled: ['carol'] };
    const staff = `# staff\nalice:${SHA}\nbroken\n`;
    makeFolder({ users: staff, groups: 'red: alice\n' }, folder);
    assert.match(await users(given, 'add', 'carol', '--group', 'red'), /^carol is added, in users\nhttp:/);
    assert.ok(read('users').startsWith(staff));
    assert.match(read('users').slice(staff.length), /^carol:\$2y\$10\$\S{53}\n$/);
    assert.equal(read('groups'), 'red: alice carol\n');
    assert.deepEqual((await users(given, 'list')).split('\n'), [
      '⚠️  users: line 3: expected user:hash; the line is ignored',
      'USER  FROM  GROUPS  LAST SEEN',
      'alice  users  red',
      'carol  users  red  disabled',
      '',
    ]);
    await assert.rejects(users(given, 'show', 'carol'), {
      message: 'carol has a password of which only a hash is kept: set one, with users passwd carol',
    });
    const before = read('users');
    assert.match(await users(given, 'passwd', 'carol', '--generate'), /^carol has another password, in users\nhttp:/);
    assert.notEqual(read('users'), before);
    assert.equal(await users(given, 'remove', 'carol'), 'carol is removed from users and groups\n');
    assert.deepEqual([read('users'), read('groups')], [staff, 'red: alice\n']);
  });

  it('leaves the config’s users to the config, but for their passwords', async () => {
    const given = { users: ['alice'] };
    await assert.rejects(users(given, 'show', 'alice'), /alice has no password before the proxy starts/);
    const set = await users(given, 'passwd', 'alice', '--generate');
    assert.equal(await users(given, 'show', 'alice'), `http://alice:${entries().alice}@127.0.0.1:8080\n`);
    assert.match(set, new RegExp(`:${entries().alice}@`));
    await assert.rejects(users(given, 'remove', 'alice'), {
      message: 'the config names alice: take them off options.auth.users there',
    });
  });

  it('takes over whom the password file of the first version names, with their password', async () => {
    makeFolder({ 'logs/user_auth.json': '{"carol": "961aa8753b", "dave": "x"}' }, folder);
    assert.equal(
      await users({}, 'list'),
      'USER  FROM  GROUPS  LAST SEEN\ncarol  logs/user_auth.json  no user\ndave  logs/user_auth.json  no user\n',
    );
    assert.match(await users({}, 'add', 'carol'), /http:\/\/carol:961aa8753b@/);
    await users({}, 'remove', 'dave');
    assert.deepEqual(entries(), { carol: { password: '961aa8753b' } });
  });

  it('says when and from where users came last, if that is remembered', async () => {
    makeFolder(
      { 'logs/usernames.json': '{"10.0.0.7": {"user": "alice", "seen": "2026-11-25T14:50:18.000Z"}}' },
      folder,
    );
    const listed = await users({ users: ['alice'] });
    assert.match(listed, /alice {2}the config {2}2026-11-25 14:50 UTC, from 10\.0\.0\.7/);
  });

  it('tells how it is used', async () => {
    assert.match(await users({}, '--help'), /^insight-dump users \[list\]\n/);
  });

  for (const [args, expected] of [
    [['nonsense'], /^no action "nonsense": expected list, add, passwd, show, remove$/],
    [['constructor'], /^no action "constructor"/],
    [['add'], /^add: expected the name of one user$/],
    [['add', 'a', 'b'], /^add: expected the name of one user$/],
    [['list', 'a'], /^list: expected nothing more$/],
    [['add', 'a:b'], /a user name cannot hold a colon/],
    [['add', ''], /./],
    [['add', 'a\u001b[2J'], /a user name cannot hold control characters/],
    [['add', 'a', '--generate'], /^--generate means nothing to add$/],
    [['add', 'a', '--group', 'two words'], /^--group "two words": expected one word/],
  ] as const) {
    it(`refuses ${JSON.stringify(args.join(' '))} as wrong usage`, async () => {
      await assert.rejects(users({}, ...args), ({ name, message }: Error) => {
        assert.match(message, expected);
        return name === 'Usage';
      });
    });
  }

  it('refuses what cannot be done, and changes nothing', async () => {
    makeFolder({ users: `alice:${SHA}\n` }, folder);
    const given = { htpasswd: 'users' };
    for (const [args, expected] of [
      [['passwd', 'nobody', '--generate'], /^there is no user nobody$/],
      [['show', 'nobody'], /^there is no user nobody$/],
      [['remove', 'nobody'], /^there is no user nobody$/],
      [['add', 'alice'], /^there is a user alice already; users passwd alice sets another password$/],
      [['add', 'bob', '--group', 'red'], /^groups of users in an htpasswd file are in the config: name bob there, or/],
    ] as const) {
      await assert.rejects(users(given, ...args), ({ name, message }: Error) => {
        assert.match(message, expected);
        return name === 'Error';
      });
    }
    assert.equal(read('users'), `alice:${SHA}\n`);
    await assert.rejects(
      users({ groups: 'groups' }, 'add', 'two words', '--group', 'red'),
      /names in it are single words/,
    );
  });

  it('touches no file that it cannot read', async () => {
    mkdirSync(path.join(folder, 'users'));
    makeFolder({ 'logs/user_auth.json': '{"alice": "secret-word"' }, folder);
    await assert.rejects(users({ htpasswd: 'users' }, 'add', 'alice'), /is no JSON object|EISDIR/);
    await assert.rejects(users({}, 'add', 'alice'), ({ message }: Error) => !/secret-word/.test(message));
    assert.equal(read('logs/user_auth.json'), '{"alice": "secret-word"');
  });
});
