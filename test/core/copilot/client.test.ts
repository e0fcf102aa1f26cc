import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { clientOf } from '../../../core/copilot/client.ts';
import { Headers } from '../../../core/headers.ts';

describe('who asks', () => {
  for (const [what, headers, editor, plugin, surface] of [
    [
      'VS Code',
      {
        'Editor-Version': 'vscode/1.96.2',
        'Editor-Plugin-Version': 'copilot-chat/0.20',
        'Copilot-Integration-Id': 'vscode-chat',
      },
      'vscode-1.96.2',
      'copilot-chat/0.20',
      'ide',
    ],
    [
      'JetBrains',
      { 'editor-version': 'JetBrains-PC/243.22562.220', 'editor-plugin-version': 'copilot-intellij/1.5.30' },
      'JetBrains-PC-243.22562.220',
      'copilot-intellij/1.5.30',
      'ide',
    ],
    [
      'an editor whose integration is another’s',
      { 'editor-version': 'Neovim/0.10', 'copilot-integration-id': 'jetbrains-chat' },
      'Neovim-0.10',
      undefined,
      'ide',
    ],
    [
      'the command line',
      { 'user-agent': 'copilot/1.0.2 (linux v22.1.0)', 'copilot-integration-id': 'copilot-developer-cli' },
      'copilot-1.0.2',
      undefined,
      'cli',
    ],
    ['the command line, by its agent only', { 'user-agent': 'copilot/1.0.2' }, 'copilot-1.0.2', undefined, 'cli'],
    ['the cloud agent', { 'copilot-integration-id': 'copilot-swe-agent' }, '-', undefined, 'agent'],
    [
      'something else',
      { 'user-agent': 'OpenAI/JS 6.30.1', 'copilot-integration-id': 'a-client' },
      '-',
      undefined,
      'unknown',
    ],
    ['somebody who says nothing', {}, '-', undefined, 'unknown'],
  ] as const)
    it(`is ${what}`, () =>
      assert.deepEqual(clientOf(new Headers(Object.entries(headers))), { editor, plugin, surface }));

  it('has no more to say than fits into a name', () => {
    const long = clientOf(new Headers([['editor-version', 'x'.repeat(10_000)]]));
    assert.equal(long.editor.length, 64);
  });
});
