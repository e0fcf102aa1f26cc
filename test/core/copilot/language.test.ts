import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { languageOf } from '../../../core/copilot/language.ts';

const of = (...texts: readonly string[]) =>
  languageOf(texts.map((text, index) => ({ index, text, finishReason: undefined, toolCalls: [] })));

describe('the language of a chat', () => {
  for (const [what, texts, language] of [
    ['that of its one block of code', ['Look:\n```python\nx = 1\n```\nDone.'], 'python'],
    ['called as editors call it', ['```TS\nlet x;\n```'], 'typescript'],
    ['that of most of its code', ['```sh\nls\n```\n~~~go\nfunc main() {}\n~~~\n```sh\npwd\n```'], 'go'],
    ['taken over all choices', ['```js\nx\n```', '```js\ny\n```\n```rust\nz = 1\n```'], 'rust'],
    ['there when the block is cut', ['```kotlin\nval x'], 'kotlin'],
    ['there before any code is', ['```ruby'], 'ruby'],
    ['that in front of a path', ['```python:src/a.py\nx\n```'], 'python'],
    ['read with CRLF', ['```css\r\na {}\r\n```\r\n'], 'css'],
    ['unknown without a name', ['```\nx = 1\n```'], undefined],
    ['unknown without code', ['Use `x` and ```y``` here.'], undefined],
    ['none that stands in a block already', ['````markdown\n```python\nx\n```\n````'], 'markdown'],
    ['not mixed up with names of objects', ['```constructor\nx\n```'], 'constructor'],
  ] as const)
    it(`is ${what}`, () => assert.equal(of(...texts), language));

  for (const hostile of [
    '`'.repeat(250_000),
    '```x\n'.repeat(50_000),
    `~~~ ${'a '.repeat(100_000)}`,
    ' '.repeat(250_000),
  ])
    it(`is found soon in ${JSON.stringify(hostile.slice(0, 8))}…`, () => {
      const began = performance.now();
      of(hostile);
      assert.ok(performance.now() - began < 5_000);
    });
});
