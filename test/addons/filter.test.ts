import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import filter from '../../addons/filter.ts';
import type { Addon } from '../../core/addon.ts';
import { makeFlow, makeHost } from '../host-kit.ts';

const COMPLETIONS = 'https://proxy.githubcopilot.com/v1/engines/any/completions';
const VSCODE = 'vscode/1.96.2';
const JETBRAINS = 'JetBrains-PC/243.1';
const chat = (more: object) => ({ messages: [{ role: 'user', content: 'hi' }], ...more });
const bySystem = { messages: [{ role: 'user' }, { role: 'system' }] };

/** Why an exchange is not counted, if it is not. */
async function judged(
  parts: { editor?: string; body?: object | string; text?: string; status?: number; url?: string },
  options: object = {},
) {
  const { host, use, log } = makeHost({ options: { filter: options } });
  await use(filter as Addon);
  const { editor, body = {}, text = 'x', status = 200, url } = parts;
  const flow = makeFlow({
    ...(url !== undefined && { url }),
    ...(editor !== undefined && { headers: { 'editor-version': editor } }),
    body: typeof body === 'string' ? body : JSON.stringify(body),
    status,
    responseBody: `data: ${JSON.stringify({
      choices: [
        { index: 1, text: '' },
        { index: 0, text, finish_reason: 'stop' },
      ],
    })}\n\n`,
  });
  const pin = host.pin();
  await pin.dispatch('response', flow);
  pin.release();
  return { reason: flow.metadata.uncounted, log };
}

describe('the filter', () => {
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
      { editor: 'Neovim/0.10', body: { ...bySystem, stop: [], tools: [] } },
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

  it('warns of an unknown editor', async () => {
    const { log } = await judged({ editor: 'Neovim/0.10', body: chat({}) });
    assert.deepEqual(log.of('warn'), [
      'warn [filter] unknown editor Neovim-0.10: no rule fits it, all its exchanges are counted',
    ]);
  });
});
