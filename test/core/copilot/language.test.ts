import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { languageOf } from '../../../core/copilot/language.ts';

interface Said {
  readonly texts?: readonly string[];
  readonly calls?: readonly string[];
  readonly words?: readonly string[];
  readonly files?: readonly string[];
}

function of({ texts = [''], calls = [], words = [], files = [] }: Said) {
  const toolCalls = calls.map((call) => ({ name: 'edit', arguments: call }));
  return languageOf({
    choices: texts.map((text, index) => ({ index, text, finishReason: undefined, toolCalls })),
    words,
    files,
  });
}

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
    it(`is ${what}`, () => assert.equal(of({ texts }), language));

  const attachment = '<attachments>\n<attachment filePath="/home/alice/a.go">\nUser\'s active selection\n</attachment>';
  for (const [what, said, language] of [
    ['that of the answer’s code', { texts: ['```rust\n```'], words: ['```go\nx\n```'] }, 'rust'],
    ['that of the question’s code', { words: ['Why?\n```py\nx = 1\n```', attachment], files: ['a.ts'] }, 'python'],
    ['that of an attached file', { words: [attachment, 'like b.rs and c.rs'], calls: ['{"filePath":"x.ts"}'] }, 'go'],
    ['that of an attachment with an id', { words: ['<attachment id="file:a" filePath="C:\\\\x\\\\a.kt">'] }, 'kotlin'],
    ['that of a file that is referred to', { files: ['src/a.swift'] }, 'swift'],
    [
      'that of the files that tools are called with',
      { calls: ['{"filePath":"/x/a.ts"}'], words: ['b.rs'] },
      'typescript',
    ],
    ['that of a file which is named', { words: ['What is wrong in src/main.rs? And in lib.rs.'] }, 'rust'],
    ['that of most files which are named', { words: ['a.py, b.go:12-20 and "c.go"'] }, 'go'],
    ['that of the current file', { words: ["<editorContext>\nThe user's current file is /x/a.vue.\n"] }, 'vue'],
    [
      'that of code rather than of what stands beside it',
      { words: ['README.md, package.json, notes.md, a.cs'] },
      'csharp',
    ],
    [
      'that of code, behind instructions that are attached',
      { files: ['copilot-instructions.md'], words: ['a.cs'] },
      'csharp',
    ],
    ['that of a document if there is nothing else', { words: ['Proofread README.md'] }, 'markdown'],
    [
      'unknown with a host, a version and a sentence',
      { words: ['See https://go.dev/x, v1.2.3.Then e.g. this.'] },
      undefined,
    ],
    ['unknown of folders', { words: ['/home/alice/app.js/src and node.js-like'] }, undefined],
  ] as const)
    it(`is ${what}`, () => assert.equal(of(said), language));

  for (const hostile of [
    '`'.repeat(250_000),
    '```x\n'.repeat(50_000),
    `~~~ ${'a '.repeat(100_000)}`,
    ' '.repeat(250_000),
    '<attachment '.repeat(20_000),
    '<attachment filePath="'.repeat(12_000),
    'a.'.repeat(125_000),
    'a'.repeat(250_000),
  ])
    it(`is found soon in ${JSON.stringify(hostile.slice(0, 8))}…`, () => {
      const began = performance.now();
      of({ texts: [hostile], words: [hostile], calls: [hostile] });
      assert.ok(performance.now() - began < 5_000);
    });
});
