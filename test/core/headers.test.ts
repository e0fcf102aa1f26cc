import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Headers } from '../../core/headers.ts';

const headers = () =>
  new Headers([
    ['Host', 'a'],
    ['X-B', '1'],
    ['Accept', '*/*'],
    ['x-b', '2'],
  ]);

describe('headers', () => {
  it('are found in any case, several values joined', () => {
    assert.equal(headers().get('x-B'), '1, 2');
    assert.deepEqual(headers().getAll('X-b'), ['1', '2']);
    assert.equal(headers().get('none'), undefined);
    assert.ok(headers().has('HOST'));
  });

  it('keep order, case and duplicates', () => {
    assert.deepEqual(headers().toFlat(), ['Host', 'a', 'X-B', '1', 'Accept', '*/*', 'x-b', '2']);
    assert.deepEqual([...Headers.fromFlat(headers().toFlat())], [...headers()]);
  });

  it('are set in the place of the first, in its case, without the others', () => {
    const set = headers();
    set.set('x-b', '3');
    assert.deepEqual(set.toFlat(), ['Host', 'a', 'X-B', '3', 'Accept', '*/*']);
    set.set('New', '4');
    assert.deepEqual(set.toFlat().slice(-2), ['New', '4']);
  });

  it('are appended and deleted', () => {
    const changed = headers();
    changed.append('X-B', '3');
    assert.deepEqual(changed.getAll('x-b'), ['1', '2', '3']);
    assert.equal(changed.delete('X-b'), true);
    assert.equal(changed.delete('X-b'), false);
    assert.deepEqual(changed.toFlat(), ['Host', 'a', 'Accept', '*/*']);
  });

  it('become an object by lower-case name, which nothing can poison', () => {
    const object = new Headers([...headers(), ['__proto__', 'x']]).toObject();
    assert.deepEqual(Object.keys(object), ['host', 'x-b', 'accept', '__proto__']);
    assert.deepEqual(object['x-b'], ['1', '2']);
  });

  it('refuse names and values that would break a head apart', () => {
    for (const [name, value] of [
      ['bad name', 'x'],
      ['', 'x'],
      ['x', 'a\r\nSet-Cookie: b'],
      ['x', '你好'],
    ] as const) {
      assert.throws(() => new Headers().append(name, value), TypeError, `${name}: ${value}`);
    }
    assert.throws(() => headers().set('host', 'a\n'), TypeError);
    new Headers().append('x', 'Latin-1 \xe9 and\ttab');
  });

  it('are as they were when a value is refused', () => {
    const headers = new Headers([
      ['X', '1'],
      ['x', '2'],
    ]);
    assert.throws(() => headers.set('x', 'a\n'), TypeError);
    assert.deepEqual(headers.getAll('x'), ['1', '2']);
  });
});
