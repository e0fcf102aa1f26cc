import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import filter from '../../addons/filter.ts';
import { makeFlow, testAddon } from '../kit.ts';

const CHAT = 'https://api.githubcopilot.com/chat/completions';
const COMPLETIONS = 'https://proxy.githubcopilot.com/v1/engines/any/completions';
const VSCODE = 'vscode/1.96.2';
const JETBRAINS = 'JetBrains-PC/243.1';
const chat = (more: object) => ({ messages: [{ role: 'user', content: 'hi' }], ...more });
const bySystem = { messages: [{ role: 'user' }, { role: 'system' }] };

/** Why an exchange is not counted, if it is not; and what the filter says of it. */
async function judged(
  parts: { editor?: string; body?: object | string; text?: string; status?: number; url?: string },
  options = {},
) {
  const { editor, body = {}, text = 'x', status = 200, url = CHAT } = parts;
  const addon = await testAddon(filter, { options: { rules: 'seed', ...options } });
  const choices = [
    { index: 1, text: '' },
    { index: 0, text, finish_reason: 'stop' },
  ];
  const flow = makeFlow({
    url,
    headers: editor === undefined ? {} : { 'editor-version': editor },
    body: typeof body === 'string' ? body : JSON.stringify(body),
    response: { status, body: `data: ${JSON.stringify({ choices })}\n\n` },
  });
  const { exchange } = await addon.run(flow);
  await addon.stop();
  const { as, reason } = exchange?.counted ?? assert.fail('no exchange');
  return { reason: as === 'nothing' ? reason : undefined, warnings: addon.log.of('warn') };
}

describe('the filter, by the rules of the seed', () => {
  for (const [what, parts, counted] of [
    ['a completion with text', { url: COMPLETIONS, editor: VSCODE }, true],
    ['a completion with no text in any choice', { url: COMPLETIONS, editor: VSCODE, text: '' }, false],
    ['an empty completion of JetBrains', { url: COMPLETIONS, editor: JETBRAINS, text: '' }, false],
    ['a VS Code chat', { editor: VSCODE, body: chat({}) }, true],
    ['a VS Code chat with stop', { editor: VSCODE, body: chat({ stop: [';'] }) }, false],
    ['a VS Code chat with a stop of null', { editor: VSCODE, body: chat({ stop: null }) }, true],
    ['a VS Code Insiders chat with stop', { editor: 'vscode-insiders/1.97', body: chat({ stop: [';'] }) }, false],
    ['a VS Code chat not by the user, with tools', { editor: VSCODE, body: { ...bySystem, tools: [] } }, true],
    ['a JetBrains chat', { editor: JETBRAINS, body: chat({}) }, true],
    ['a JetBrains chat with stop', { editor: JETBRAINS, body: chat({ stop: [';'] }) }, true],
    ['a JetBrains chat whose last message is not the user’s', { editor: JETBRAINS, body: bySystem }, false],
    ['a JetBrains chat without messages', { editor: JETBRAINS, body: {} }, false],
    ['a JetBrains chat with tools', { editor: JETBRAINS, body: chat({ tools: [] }) }, false],
    ['a JetBrains chat that is no JSON', { editor: JETBRAINS, body: 'x' }, false],
    [
      'a chat of another editor, whatever it asks with',
      { editor: 'Neovim/0.10', body: { ...bySystem, stop: [] } },
      true,
    ],
    ['a chat without an editor', { body: chat({}) }, true],
    ['a chat that got an error', { editor: VSCODE, body: chat({}), status: 429 }, false],
  ] as const) {
    it(`${counted ? 'counts' : 'does not count'} ${what}`, async () => {
      const { reason } = await judged(parts);
      assert.equal(reason === undefined, counted, reason);
    });
  }

  for (const [rule, parts] of [
    ['emptyCompletions', { url: COMPLETIONS, editor: VSCODE, text: '' }],
    ['vscodeChatsWithStop', { editor: VSCODE, body: chat({ stop: [';'] }) }],
    ['jetbrainsChatsNotByUser', { editor: JETBRAINS, body: bySystem }],
    ['jetbrainsChatsWithTools', { editor: JETBRAINS, body: chat({ tools: [] }) }],
    ['failedAnswers', { editor: VSCODE, body: chat({}), status: 500 }],
    ['conditionalJudgment', { editor: VSCODE, body: chat({ stop: [';'] }), status: 500 }],
  ] as const) {
    it(`counts it after all when ${rule} is switched off`, async () => {
      assert.notEqual((await judged(parts)).reason, undefined);
      assert.equal((await judged(parts, { [rule]: false })).reason, undefined);
    });
  }

  it('does not count a chat without an answer, whatever rules are switched off', async () => {
    const addon = await testAddon(filter, { options: { rules: 'seed', conditionalJudgment: false } });
    const error = { by: 'upstream', code: 'ECONNREFUSED', message: '' } as const;
    const { exchange } = await addon.run(makeFlow({ url: CHAT, body: JSON.stringify(chat({})), error }));
    await addon.stop();
    assert.deepEqual(exchange?.counted, { as: 'nothing', reason: 'there was no answer' });
  });

  it('warns of an unknown editor', async () => {
    const { warnings } = await judged({ editor: 'Neovim/0.10', body: chat({}) });
    assert.deepEqual(warnings, ['unknown editor Neovim-0.10: no rule fits it, all its exchanges are counted']);
  });
});

describe('the filter, by the rules of today', () => {
  /** What each of these counts as, for one filter; a user and an interaction for each, at most. */
  async function counted(
    ...asked: readonly { user?: string; interaction?: string; uncounted?: string; last?: string }[]
  ) {
    const addon = await testAddon(filter);
    const all: string[] = [];
    for (const { user = 'alice', interaction, uncounted, last = 'user' } of asked) {
      const flow = makeFlow({
        url: CHAT,
        user,
        headers: {
          'x-initiator': last === 'user' ? 'user' : 'agent',
          ...(interaction !== undefined && { 'x-interaction-id': interaction }),
        },
        body: JSON.stringify({ messages: [{ role: last, content: 'x' }] }),
        response: { body: 'data: {"choices": [{"index": 0, "delta": {"content": "y"}, "finish_reason": "stop"}]}\n\n' },
      });
      if (uncounted !== undefined) flow.metadata.uncounted = uncounted;
      all.push((await addon.run(flow)).exchange?.counted.as ?? assert.fail('no exchange'));
    }
    await addon.stop();
    return all;
  }

  it('counts an interaction once, however many calls of it look like a question', async () => {
    assert.deepEqual(await counted({ interaction: 'i' }, { interaction: 'i', last: 'tool' }, { interaction: 'i' }), [
      'turn',
      'step',
      'step',
    ]);
  });

  it('counts each interaction, each user’s, and each question without one', async () => {
    const all = [{ interaction: 'i' }, { interaction: 'j' }, { user: 'bob', interaction: 'i' }, {}, {}];
    assert.deepEqual(await counted(...all), ['turn', 'turn', 'turn', 'turn', 'turn']);
  });

  it('leaves alone what another addon does not count', async () => {
    const all = [{ interaction: 'i', uncounted: 'a test' }, { interaction: 'i' }];
    assert.deepEqual(await counted(...all), ['nothing', 'turn']);
  });
});
