import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeFlow } from '../../kit.ts';
import { startExample } from '../example.ts';

describe('add-header', () => {
  it('adds a header to each response', async (t) => {
    const example = await startExample(t, 'add-header');
    const { sent, received } = await example.run(makeFlow());
    assert.equal(received?.headers.get('x-seen-by'), 'insight-dump');
    assert.equal(sent?.headers.has('x-seen-by'), false);
  });

  it('adds the header that you name', async (t) => {
    const example = await startExample(t, 'add-header', { name: 'X-Team', value: 'réd, 42' });
    const { received } = await example.run(makeFlow());
    assert.equal(received?.headers.get('x-team'), 'réd, 42');
  });

  it('adds it to requests instead', async (t) => {
    const example = await startExample(t, 'add-header', { to: 'request' });
    const { sent, received } = await example.run(makeFlow());
    assert.equal(sent?.headers.get('x-seen-by'), 'insight-dump');
    assert.equal(received?.headers.has('x-seen-by'), false);
  });

  it('replaces a header of that name', async (t) => {
    const example = await startExample(t, 'add-header', { name: 'server', value: 'mine' });
    const { received } = await example.run(makeFlow({ response: { headers: { Server: 'theirs' } } }));
    assert.deepEqual(received?.headers.getAll('server'), ['mine']);
  });

  for (const name of ['', 'x y', 'x:', 'x\n', 'ü']) {
    it(`refuses ${JSON.stringify(name)} for a name`, async (t) => {
      await assert.rejects(startExample(t, 'add-header', { name }), { message: /name: not a name for a header/ });
    });
  }

  for (const value of ['one\ntwo', 'one\r\nx-evil: 1', '你好']) {
    it(`refuses ${JSON.stringify(value)} for a value`, async (t) => {
      await assert.rejects(startExample(t, 'add-header', { value }), { message: /value: a header holds one line/ });
    });
  }
});
