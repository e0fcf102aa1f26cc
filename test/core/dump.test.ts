import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { describeFlow } from '../../core/dump.ts';
import { endedFlow } from '../host-kit.ts';

const flow = () =>
  endedFlow({
    headers: { 'X-A': '1', Authorization: 'Bearer secret' },
    body: 'question',
    response: {
      headers: { 'Content-Type': 'text/plain' },
      body: `line 1\n\u001b[31mline 2\n${'more\n'.repeat(600)}`,
    },
  });

describe('a flow on the console', () => {
  it('is one line at 1', () => {
    assert.match(
      describeFlow(flow(), 1),
      /^🌐 alice 10\.0\.0\.1 POST https:\/\/api\.githubcopilot\.com\/chat\/completions << 200 3\.0k \d+ms$/,
    );
  });

  it('says how it failed', () => {
    const failed = endedFlow({ error: { by: 'upstream', code: 'ECONNRESET', message: 'gone' }, user: undefined });
    assert.match(describeFlow(failed, 1), /^🌐 anonymous .* << 200 upstream ECONNRESET: gone \d+ms$/);
    failed.response = undefined;
    assert.match(describeFlow(failed, 1), / << upstream ECONNRESET: gone /);
  });

  it('has its headers at 2, without credentials', () => {
    const text = describeFlow(flow(), 2);
    assert.match(
      text,
      /\n {4}X-A: 1\n {4}Authorization: \*\*\*\n {4}host: api\.githubcopilot\.com\n<< 200 OK\n {4}Content-Type: text\/plain$/,
    );
    assert.doesNotMatch(text, /secret|question/);
  });

  it('has its bodies cut at 3, whole at 4, and nothing in them that speaks to the terminal', () => {
    const cut = describeFlow(flow(), 3);
    assert.match(cut, /\n {4}question\n/);
    assert.match(cut, /\n {4}·\[31mline 2\n/);
    assert.match(cut, /\(cut, 603 lines\)/);
    assert.equal(cut.match(/more/g)?.length, 510);
    assert.equal(describeFlow(flow(), 4).match(/more/g)?.length, 600);
  });
});
