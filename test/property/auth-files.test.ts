import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { readBasic } from '../../addons/auth/basic.ts';
import { networkOf } from '../../addons/auth/failures.ts';
import { parseGroupFile, withMember, withoutMember } from '../../addons/auth/group-file.ts';
import { faultOf } from '../../addons/auth/hashes.ts';
import { parseHtpasswd, withHash, withoutUser } from '../../addons/auth/htpasswd.ts';
import { parsePasswordFile } from '../../addons/auth/password-file.ts';
import { anyCharacter } from './arbitraries.ts';

const SHA = '{SHA}nzIm84E2qbwxHtpWDgHFU4og3z8=';
const APR1 = '$apr1$ID1l7kUk$oNbrxdSMVIEbFNeDUWxup1';

/** Lines that look like what they should be, to some degree. */
const piece = fc.oneof(
  fc.string({ unit: anyCharacter, maxLength: 12 }),
  fc.constantFrom(':', '#', ' ', '\t', '\r', '$', '$2y$05$', SHA, APR1, 'alice', 'red:', '\0', '\u2028', '__proto__'),
);
const line = fc.array(piece, { maxLength: 6 }).map((pieces) => pieces.join(''));
const file = fc.array(line, { maxLength: 12 }).map((lines) => lines.join('\n'));
/** Names that can stand in both files. */
const word = fc.stringMatching(/^[a-z_][a-z0-9_]{0,8}$/);

describe('files of users and groups, however hostile', () => {
  it('are read: what can be, is, and each other line is named', () => {
    fc.assert(
      fc.property(file, (text) => {
        const { hashes, problems } = parseHtpasswd(text);
        for (const [user, hash] of hashes) {
          assert.equal(faultOf(hash), undefined);
          assert.ok(user !== '' && !user.includes(':') && user === user.normalize());
        }
        for (const problem of problems) assert.match(problem, /^line \d+: [^\n\r]+$/);
        const lines = text.split('\n').filter((each) => each.trim() !== '' && !each.trimStart().startsWith('#'));
        assert.equal(hashes.size + problems.length, lines.length);
      }),
    );
  });

  it('are read, groups too', () => {
    fc.assert(
      fc.property(file, (text) => {
        const { groups, problems } = parseGroupFile(text);
        for (const [group, users] of groups) {
          assert.match(group, /^[^\s:]+$/u);
          assert.equal(new Set(users).size, users.length);
          for (const user of users) assert.match(user, /^\S+$/u);
        }
        for (const problem of problems) assert.match(problem, /^line \d+: [^\n\r]+$/);
      }),
    );
  });

  it('have what is put in, and lose nothing else', () => {
    fc.assert(
      fc.property(file, word, (text, user) => {
        const before = parseHtpasswd(text).hashes;
        const added = withHash(text, user, APR1);
        assert.deepEqual(
          new Map([...parseHtpasswd(added).hashes].sort()),
          new Map([...before, [user, APR1] as const].sort()),
        );
        const removed = parseHtpasswd(withoutUser(added, user)).hashes;
        assert.deepEqual([...removed.keys()].sort(), [...before.keys()].filter((each) => each !== user).sort());
      }),
    );
  });

  it('have what is put in, and lose nothing else, groups too', () => {
    fc.assert(
      fc.property(file, word, word, (text, group, user) => {
        const before = parseGroupFile(text).groups;
        const added = parseGroupFile(withMember(text, group, user)).groups;
        const expected = new Map([...before, [group, [...new Set([...(before.get(group) ?? []), user])]] as const]);
        const sorted = (groups: ReadonlyMap<string, readonly string[]>) =>
          [...groups].map(([name, users]) => [name, [...users].sort()]).sort();
        assert.deepEqual(sorted(added), sorted(expected));
        const removed = parseGroupFile(withoutMember(withMember(text, group, user), user)).groups;
        for (const users of removed.values()) assert.ok(!users.includes(user));
        assert.deepEqual([...removed.keys()].sort(), [...added.keys()].sort());
      }),
    );
  });

  it('of passwords are read, or refused in words that quote nothing', () => {
    fc.assert(
      fc.property(fc.oneof(file, fc.json()), (text) => {
        try {
          parsePasswordFile('f', text);
        } catch (error) {
          assert.equal(
            (error as Error).message,
            'f is no JSON object of {"user": "password"}; repair it or move it away',
          );
        }
      }),
    );
  });
});

describe('what a client sends, however hostile', () => {
  it('is read as credentials or none', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string({ unit: anyCharacter }),
          fc.base64String().map((text) => `Basic ${text}`),
        ),
        (header) => {
          for (const { user } of readBasic(header)) assert.ok(!user.includes(':'));
        },
      ),
    );
  });

  it('comes from a network that all its addresses are in', () => {
    fc.assert(
      fc.property(fc.ipV6(), (address) => {
        assert.match(networkOf(address), /^([\da-f.]+:){4}:\/64$/i);
      }),
    );
    assert.equal(networkOf('10.0.0.1'), '10.0.0.1');
    assert.equal(networkOf('2001:db8::1'), networkOf('2001:db8:0:0:ffff::2'));
    assert.notEqual(networkOf('2001:db8::1'), networkOf('2001:db8:0:1::1'));
    assert.equal(networkOf('fe80::1%eth0'), networkOf('fe80::2'));
  });
});
