import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { CountedAs } from '../../../core/addon.ts';
import { AGENTS, answered, CHAT, COMPLETIONS, delta, events, MESSAGES, RESPONSES, text } from '../../exchanges.ts';
import { messageEvents } from '../../fake-copilot-messages.ts';
import { responseEvents } from '../../fake-copilot-responses.ts';
import type { FlowParts } from '../../kit.ts';
import * as requests from '../../requests.ts';

const SAID = { pieces: ['hi'] };
const ANSWERS: Record<string, string> = {
  [CHAT]: events(delta('hi', 'stop')),
  [AGENTS]: events(delta('hi', 'stop')),
  [COMPLETIONS]: events(text(0, 'x', 'stop')),
  [RESPONSES]: events(...responseEvents(SAID)),
  [MESSAGES]: events(...messageEvents(SAID)),
};

const user = { role: 'user', content: 'What is new?' };
const system = { role: 'system', content: 'You are an assistant.' };
const calling = {
  role: 'assistant',
  content: null,
  tool_calls: [{ id: 'c', function: { name: 'f', arguments: '{}' } }],
};
const result = { role: 'tool', tool_call_id: 'c', content: 'done' };
const byUser = { 'x-initiator': 'user', 'x-interaction-id': 'i', 'x-interaction-type': 'conversation-panel' };
const byAgent = { ...byUser, 'x-initiator': 'agent' };
const prediction = { type: 'content', content: 'x = 1' };

interface Row {
  readonly url?: string;
  readonly headers?: Record<string, string>;
  readonly body?: object;
  readonly answer?: string;
  readonly more?: FlowParts;
}

/** What is counted, as what. */
const ROWS: readonly (readonly [what: string, as: CountedAs, row: Row])[] = [
  // By its headers, first.
  ['a question', 'turn', { headers: byUser, body: { messages: [system, user] } }],
  ['a question after results of tools', 'turn', { headers: byUser, body: { messages: [user, calling, result, user] } }],
  ['a question that ends in context of the editor’s', 'turn', { headers: byUser, body: { messages: [user, system] } }],
  ['the model’s next step', 'step', { headers: byAgent, body: { messages: [user, calling, result] } }],
  [
    'a step with a reminder behind the results',
    'step',
    { headers: byAgent, body: { messages: [user, calling, result, { role: 'user', content: '<reminder>' }] } },
  ],
  [
    'a step of a subagent',
    'subagent',
    {
      headers: { ...byAgent, 'x-interaction-type': 'conversation-subagent' },
      body: { messages: [user, calling, result] },
    },
  ],
  [
    'what is said to be in the background',
    'background',
    { headers: { ...byUser, 'x-interaction-type': 'conversation-background' }, body: { messages: [user] } },
  ],
  [
    'a commit message',
    'commitMessage',
    { headers: { ...byUser, 'x-interaction-type': 'git-commit' }, body: { messages: [system, user] } },
  ],
  [
    'a title, although its intent is a chat’s',
    'background',
    {
      headers: { ...byAgent, 'openai-intent': 'conversation-panel' },
      body: { model: 'copilot-fast', messages: [system, user] },
    },
  ],
  [
    'a categorisation, whose tool is forced',
    'background',
    {
      headers: byAgent,
      body: { messages: [user], tool_choice: { type: 'function', function: { name: 'categorize' } } },
    },
  ],
  [
    'suggestions of what to ask next, by the user as they say',
    'background',
    {
      headers: byUser,
      body: { messages: [user, system], tool_choice: { type: 'function', function: { name: 'showSuggestions' } } },
    },
  ],
  [
    'a summary that is not streamed',
    'background',
    {
      headers: { ...byAgent, 'openai-intent': 'conversation-other' },
      body: {
        messages: [user, calling, result, { role: 'assistant', content: 'x' }, user],
        stream: false,
        temperature: 0,
      },
      answer: '{"choices": [{"index": 0, "message": {"content": "Summary"}, "finish_reason": "stop"}]}',
    },
  ],
  [
    'a next edit, by its model',
    'nextEdit',
    { headers: byAgent, body: { model: 'copilot-nes-xtab', messages: [system, user], prediction } },
  ],
  [
    'a next edit, by what it predicts',
    'nextEdit',
    { headers: byAgent, body: { model: 'x', messages: [user], prediction } },
  ],
  [
    'an edit that is applied',
    'background',
    { headers: byAgent, body: { model: 'gpt-4o-instant-apply-full-ft-v66', messages: [user], prediction } },
  ],
  [
    'another extension’s question',
    'extension',
    { headers: { ...byUser, 'x-onbehalf-extension-id': 'some.extension/1.0' }, body: { messages: [user] } },
  ],
  ['what a Copilot extension is asked', 'extension', { url: AGENTS, body: { messages: [user] } }],
  ['a job of the cloud agent', 'nothing', { url: AGENTS, body: { problem_statement: 'x' }, answer: '{"job_id": "1"}' }],
  // By its body, where the headers are silent.
  ['a question of an editor of old', 'turn', { body: { messages: [system, user] } }],
  ['a step of one', 'step', { body: { messages: [user, calling, result] } }],
  ['what one asks with "stop"', 'background', { body: { messages: [user], stop: [';'] } }],
  ['what ends in its own words', 'background', { body: { messages: [user, system] } }],
  ['a body that is no JSON', 'turn', { more: { body: 'x' } }],
  // Each protocol has its own results of tools.
  ['a question over responses', 'turn', { url: RESPONSES, body: { input: 'What is new?' } }],
  [
    'a question over responses, in parts',
    'turn',
    {
      url: RESPONSES,
      headers: byUser,
      body: { input: [{ role: 'user', content: [{ type: 'input_text', text: 'x' }] }] },
    },
  ],
  [
    'a step over responses',
    'step',
    {
      url: RESPONSES,
      headers: byAgent,
      body: {
        input: [
          user,
          { type: 'function_call', name: 'f' },
          { type: 'function_call_output', call_id: 'c', output: 'x' },
        ],
      },
    },
  ],
  [
    'a step over responses that says nothing but the result',
    'step',
    { url: RESPONSES, body: { previous_response_id: 'r', input: [{ type: 'function_call_output', call_id: 'c' }] } },
  ],
  [
    'a forced tool over responses',
    'background',
    { url: RESPONSES, headers: byUser, body: { input: 'x', tool_choice: { type: 'function', name: 'f' } } },
  ],
  [
    'a step over messages',
    'step',
    {
      url: MESSAGES,
      body: { messages: [user, { role: 'user', content: [{ type: 'tool_result', tool_use_id: 't' }] }] },
    },
  ],
  [
    'a question over messages with a result before it',
    'turn',
    {
      url: MESSAGES,
      body: { messages: [{ role: 'user', content: [{ type: 'tool_result' }, { type: 'text', text: 'And now?' }] }] },
    },
  ],
  [
    'a forced tool over messages',
    'background',
    { url: MESSAGES, headers: byUser, body: { messages: [user], tool_choice: { type: 'tool', name: 'f' } } },
  ],
  // Ghost text.
  ['ghost text', 'completion', { url: COMPLETIONS, headers: { 'x-copilot-speculative': 'false' } }],
  [
    'ghost text for what is not shown yet',
    'speculative',
    { url: COMPLETIONS, headers: { 'x-copilot-speculative': 'true' } },
  ],
  ['ghost text without text', 'nothing', { url: COMPLETIONS, answer: events(text(0, '', 'stop')) }],
  ['a next edit as ghost text', 'nextEdit', { url: COMPLETIONS.replace('gpt-41-copilot', 'copilot-nes-oct') }],
  // What did not come to an answer.
  [
    'a question that failed',
    'nothing',
    { headers: byUser, body: { messages: [user] }, more: { response: { status: 429 } } },
  ],
  [
    'a question that was called off before its answer',
    'nothing',
    { headers: byUser, answer: ': ping\n\n', more: { error: { by: 'client', code: 'X', message: '' } } },
  ],
  [
    'a question that was called off during its answer',
    'turn',
    { headers: byUser, answer: events(delta('hi')), more: { error: { by: 'client', code: 'X', message: '' } } },
  ],
  [
    'ghost text that was called off',
    'nothing',
    { url: COMPLETIONS, answer: events(text(0, 'x')), more: { error: { by: 'client', code: 'X', message: '' } } },
  ],
];

describe('what an exchange counts as', () => {
  for (const [what, as, { url = CHAT, headers = {}, body = {}, answer, more = {} }] of ROWS)
    it(`is ${as} for ${what}`, async () => {
      const wire = answer ?? ANSWERS[url] ?? ANSWERS[COMPLETIONS] ?? '';
      const { counted } = await answered(url, wire, { headers, body: JSON.stringify(body), ...more });
      assert.equal(counted.as, as, counted.reason);
      assert.notEqual(counted.reason, '');
    });

  for (const [name, as] of [
    [requests.GHOST, 'completion'],
    [requests.GHOST_SPECULATIVE, 'speculative'],
    [requests.PANEL, 'completion'],
    [requests.CHAT_TURN, 'turn'],
    [requests.CHAT_SUGGESTIONS, 'background'],
    [requests.RESPONSES, 'turn'],
    [requests.MESSAGES, 'turn'],
    [requests.GIT_COMMIT, 'commitMessage'],
  ] as const)
    it(`is ${as} for ${name} of the real language server`, async () => {
      const { host, path, headers, body } = requests.capture(name);
      const answer = path.includes('engines') ? ANSWERS[COMPLETIONS] : ANSWERS[`https://api.githubcopilot.com${path}`];
      const exchange = await answered(`https://${host}${path}`, answer ?? '', { headers, body: JSON.stringify(body) });
      assert.equal(exchange.counted.as, as, exchange.counted.reason);
      assert.deepEqual(
        [exchange.editor, exchange.plugin, exchange.surface],
        ['Harness-1.0.0', 'copilot-harness/1.0.0', 'ide'],
      );
      assert.deepEqual(exchange.request, body);
      assert.equal(exchange.interaction, headers['x-interaction-id']);
    });
});
