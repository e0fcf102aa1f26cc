import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { at, countAt, listAt, MAX_JSON_DEPTH, parseJson, textAt } from '../../../core/copilot/json.ts';

describe('a property of JSON', () => {
  it('is found where it is, and undefined where it is not', () => {
    const value = { a: [{ b: 'x', n: 3 }], text: 'abc' };
    assert.equal(textAt(value, 'a', '0', 'b'), 'x');
    assert.equal(countAt(value, 'a', '0', 'n'), 3);
    for (const path of [['b'], ['text', 'length'], ['a', 'length', 'x'], ['a', '1', 'b'], ['toString']])
      assert.equal(at(value, ...path), undefined, path.join());
    assert.deepEqual(listAt(value, 'text'), []);
  });

  it('is never inherited', () => {
    for (const name of ['__proto__', 'constructor', 'hasOwnProperty']) assert.equal(at({}, name), undefined);
    assert.equal(textAt(parseJson('{"__proto__": {"a": "x"}}'), 'a'), undefined);
  });

  for (const number of ['-1', '1e400', '9007199254740993', '"5"', 'null', 'true'])
    it(`counts nothing if it is ${number}`, () => assert.equal(countAt(parseJson(`{"n": ${number}}`), 'n'), undefined));
});

describe('JSON that is nested', () => {
  const nested = (depth: number, inside = '') => `${'['.repeat(depth)}${inside}${']'.repeat(depth)}`;

  it('is read as deep as anybody would go, and is a text below that', () => {
    assert.ok(Array.isArray(parseJson(nested(MAX_JSON_DEPTH))));
    for (const deep of [nested(MAX_JSON_DEPTH + 1), nested(100_000), '{"a":'.repeat(600) + 1 + '}'.repeat(600)])
      assert.equal(parseJson(deep), deep);
  });

  it('is not what only looks so within a text', () => {
    const value = { text: `\\"${'['.repeat(5_000)}`, 'k\\': '{'.repeat(5_000), list: Array(2_000).fill([]) };
    assert.deepEqual(parseJson(JSON.stringify(value)), value);
  });
});
