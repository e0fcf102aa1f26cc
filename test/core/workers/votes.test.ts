import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Votes } from '../../../core/workers/votes.ts';

describe('a worker’s votes', () => {
  const begin = () => {
    const said: [number, string | undefined][] = [];
    const votes = new Votes((...vote) => void said.push(vote));
    votes.begin(7);
    return { said, votes };
  };

  it('let a change be made when nobody refuses', async () => {
    const { said, votes } = begin();
    const ready = votes.ready();
    assert.deepEqual(said, [[7, undefined]]);
    votes.decided(7, undefined);
    await ready;
    assert.equal(await votes.end(), 'taken');
    assert.equal(said.length, 1);
  });

  it('keep a change from being made that another refuses', async () => {
    const { votes } = begin();
    const ready = votes.ready();
    votes.decided(7, 'not here');
    await assert.rejects(ready, /^Error: not here$/);
    // Which is no refusal of its own any more.
    votes.refuse(new Error('not here'));
    assert.equal(await votes.end(), 'refused');
  });

  it('say why it cannot be made here', async () => {
    const { said, votes } = begin();
    votes.refuse(new Error('broken'));
    assert.deepEqual(said, [[7, 'broken']]);
    votes.decided(7, 'broken');
    assert.equal(await votes.end(), 'refused');
  });

  it('refuse nothing where there was nothing to do, and hear nothing of other rounds', async () => {
    const { said, votes } = begin();
    const ended = votes.end();
    assert.deepEqual(said, [[7, undefined]]);
    votes.decided(6, 'old');
    votes.decided(7, undefined);
    assert.equal(await ended, 'taken');
  });
});
