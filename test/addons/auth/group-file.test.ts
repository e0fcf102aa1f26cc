import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parseGroupFile, withMember, withoutMember } from '../../../addons/auth/group-file.ts';

const FIXTURE = readFileSync(new URL('../../fixtures/auth/groups', import.meta.url), 'utf8');

describe('a group file', () => {
  it('has a line for each group, or several', () => {
    const { groups, problems } = parseGroupFile(FIXTURE);
    assert.deepEqual(problems, []);
    assert.deepEqual(Object.fromEntries(groups), { red: ['bcrypt', 'apr1', 'sha'], blue: ['sha', 'zoë'] });
  });

  it('names each line that is broken by its number, and takes the others', () => {
    const { groups, problems } = parseGroupFile('red alice\n: alice\ntwo words: alice\nred:\tbob  bob\r\nempty:\n');
    assert.deepEqual(Object.fromEntries(groups), { red: ['bob'], empty: [] });
    assert.deepEqual(
      problems.map((problem) => problem.split(': ')[0]),
      ['line 1', 'line 2', 'line 3'],
    );
  });

  it('keeps all that is in it when somebody joins', () => {
    assert.equal(
      withMember('# teams\r\nred: alice\r\nblue:\r\n', 'red', 'bob'),
      '# teams\r\nred: alice bob\r\nblue:\r\n',
    );
    assert.equal(withMember('red: alice', 'blue', 'bob'), 'red: alice\nblue: bob\n');
    assert.equal(withMember('red: bob\n', 'red', 'bob'), 'red: bob\n');
  });

  it('keeps all that is in it but the one who leaves', () => {
    assert.equal(
      withoutMember('# bob\nred: alice bob carol\nblue: bob\nbobs: alice\n', 'bob'),
      '# bob\nred: alice carol\nblue:\nbobs: alice\n',
    );
  });
});
