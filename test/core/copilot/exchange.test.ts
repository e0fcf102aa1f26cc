import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { readExchange } from '../../../core/copilot/http-reading.ts';
import { COMPLETIONS, delta, events, text } from '../../exchanges.ts';
import { endedFlow } from '../../host-kit.ts';
import type { FlowParts } from '../../kit.ts';

const decode = (parts: FlowParts) => readExchange(endedFlow(parts));

describe('an exchange', () => {
  it('is undefined for what is no use of Copilot, and for what is not over', async () => {
    assert.equal(await decode({ url: 'https://api.githubcopilot.com/models' }), undefined);
    assert.equal(await decode({ method: 'GET' }), undefined);
    const flow = endedFlow();
    flow.response = undefined;
    assert.equal(await readExchange(flow), undefined);
  });

  it('puts the pieces of each choice together by its index, in whatever order they come', async () => {
    const body = events(
      text(1, 'b'),
      text(0, 'a '),
      text(1, ' b'),
      text(0, '\\a', 'stop'),
      text(1, '', 'length'),
      '[DONE]',
    );
    const choices = (await decode({ url: COMPLETIONS, response: { body } }))?.choices;
    assert.deepEqual(choices, [
      { index: 0, text: 'a \\a', finishReason: 'stop', toolCalls: [] },
      { index: 1, text: 'b b', finishReason: 'length', toolCalls: [] },
    ]);
  });

  it('knows editor, language and model', async () => {
    const chat = await decode({
      headers: { 'Editor-Version': 'JetBrains-PC/243.1' },
      body: '{"model": "gpt-4o"}',
      response: { body: '{}' },
    });
    assert.deepEqual([chat?.editor, chat?.language, chat?.model], ['JetBrains-PC-243.1', 'unknown', 'gpt-4o']);
    const completion = await decode({
      url: COMPLETIONS,
      body: '{"extra": {"language": "python"}}',
      response: { body: '{}' },
    });
    assert.deepEqual([completion?.editor, completion?.language, completion?.model], ['-', 'python', 'gpt-41-copilot']);
  });

  for (const [what, body, contentType] of [
    ['as event stream', events(delta('hi '), delta('you', 'stop'), '[DONE]'), 'text/event-stream'],
    ['as application/json', events(delta('hi '), delta('you', 'stop'), '[DONE]'), 'application/json'],
    ['with CRLF', events(delta('hi '), delta('you', 'stop')).replaceAll('\n', '\r\n'), 'application/json'],
    [
      'with comments and other fields',
      `: ping\n\nid: 1\nretry: 5\n${events(delta('hi '), delta('you', 'stop'))}`,
      'application/json',
    ],
    [
      'over several data lines',
      events(delta('hi ')) +
        'data: {"choices": [{"index": 0,\ndata:  "delta": {"content": "you"}, "finish_reason": "stop"}]}\n\n',
      '',
    ],
    [
      'with null choices and a usage chunk',
      events(delta('hi '), { choices: null, usage: {} }, delta('you', 'stop'), { usage: {} }),
      '',
    ],
    ['without the last blank line', events(delta('hi '), delta('you', 'stop')).trimEnd(), ''],
    [
      'not streamed',
      JSON.stringify({ choices: [{ index: 0, message: { content: 'hi you' }, finish_reason: 'stop' }] }),
      'application/json',
    ],
  ] as const) {
    it(`has its text when it comes ${what}`, async () => {
      const exchange = await decode({ response: { body, headers: { 'content-type': contentType } } });
      assert.deepEqual(exchange?.choices, [{ index: 0, text: 'hi you', finishReason: 'stop', toolCalls: [] }]);
      assert.equal(exchange?.outcome, 'complete');
    });
  }

  it('keeps events that are no JSON as text, and the mark of the end not at all', async () => {
    const exchange = await decode({ response: { body: events(delta('a'), 'over{load', '[DONE]') } });
    assert.deepEqual(exchange?.response, [delta('a'), 'over{load']);
  });

  it('keeps bodies that are no JSON as text', async () => {
    const exchange = await decode({ body: 'plain  text', response: { body: '<html>', status: 502 } });
    assert.equal(exchange?.request, 'plain  text');
    assert.equal(exchange?.response, '<html>');
  });

  for (const [what, body, by, complete] of [
    ['the client hung up after a finish reason', events(delta('a'), delta('b', 'stop')), 'client', true],
    [
      'the client hung up after one of several choices finished',
      events(text(0, 'a', 'stop'), text(1, 'b')),
      'client',
      true,
    ],
    ['the client hung up before any finish reason', events(delta('a')), 'client', false],
    ['the upstream broke off, even after a finish reason', events(delta('a', 'stop')), 'upstream', false],
  ] as const) {
    it(`is ${complete ? '' : 'not '}complete when ${what}`, async () => {
      const error = { by, code: 'X', message: 'x' };
      const url = body.includes('"text"') ? COMPLETIONS : undefined;
      const exchange = await decode({ ...(url && { url }), response: { body }, error });
      assert.equal(exchange?.outcome === 'complete', complete);
    });
  }

  it('survives whatever a body holds', async () => {
    for (const hostile of [
      '{"choices": {"length": 1e9}}',
      '{"choices": [null, 1, "x", [], {"index": "__proto__", "text": 5}, {"index": 1e308, "delta": null}]}',
      '{"__proto__": {"choices": [1]}, "constructor": 1}',
      `${'['.repeat(50_000)}${']'.repeat(50_000)}`,
      events('{"choices": [{"index": 0'),
      `data: ${'x'.repeat(1_000_000)}`,
      '\u0000\ufffd',
    ]) {
      const exchange = await decode({ body: hostile, response: { body: hostile } });
      assert.equal(exchange?.kind, 'chat');
    }
    assert.equal(({} as { choices?: unknown }).choices, undefined);
  });

  it('reads the records of the seed as they were', async () => {
    const seed = (name: string) =>
      JSON.parse(readFileSync(path.join(import.meta.dirname, `../../fixtures/seed/${name}.json`), 'utf8'));
    for (const [name, kind, editor, language] of [
      // From the code that is in what was asked.
      ['usage-chat', 'chat', 'JetBrains-PC-243.22562.220', 'python'],
      ['usage-completion', 'completions', 'vscode-1.96.2', 'python'],
    ] as const) {
      const { request, response } = seed(name);
      const exchange = await decode({
        url: request.url,
        headers: request.headers,
        body: JSON.stringify(request.content),
        response: {
          headers: response.headers,
          body: events(...response.content.filter((chunk: unknown) => chunk !== ''), '[DONE]'),
        },
      });
      assert.deepEqual([exchange?.kind, exchange?.editor, exchange?.language], [kind, editor, language]);
      assert.equal(exchange?.languageInferred, kind === 'chat');
      assert.deepEqual(exchange?.response, response.content.slice(0, -1));
      assert.equal(exchange?.choices[0]?.finishReason, 'stop');
    }
  });
});
