/**
 * The rules of copilot-proxy-insight of 2024, found by watching what editors sent then: they ask in the background too,
 * and some of what they ask looks like a chat.
 */
import type { CopilotExchange, Log } from 'insight-dump';
import { z } from 'zod';

const rule = (description: string) => z.boolean().default(true).describe(`rules of the seed: ${description}`);

/** Each can be switched off. */
export const seedSwitches = {
  conditionalJudgment: rule('apply any at all'),
  failedAnswers: rule('do not count answers with an error status'),
  emptyCompletions: rule('do not count completions with no text in any choice'),
  vscodeChatsWithStop: rule('do not count VS Code chats that ask with "stop": they are made in the background'),
  jetbrainsChatsNotByUser: rule('do not count JetBrains chats whose last message is not the user’s'),
  jetbrainsChatsWithTools: rule('do not count JetBrains chats that ask with "tools"'),
};

type Switches = Record<keyof typeof seedSwitches, boolean>;

/** Counts an exchange as the seed would have, or as nothing. */
export function judgeBySeed(
  exchange: CopilotExchange,
  switches: Switches,
  unknownEditors: Set<string>,
  log: Log,
): void {
  const { endpoint, kind, editor, outcome, status } = exchange;
  if (endpoint !== 'completions' && endpoint !== 'chat') exchange.count('nothing', 'the seed does not know it');
  else if (status === undefined) exchange.count('nothing', 'there was no answer');
  else if (outcome === 'cancelled') exchange.count('nothing', 'the client hung up before it was finished');
  else {
    const reason = switches.conditionalJudgment ? reasonAgainst(exchange, switches) : undefined;
    if (reason !== undefined) exchange.count('nothing', reason);
    else exchange.count(kind === 'chat' ? 'turn' : 'completion', 'no rule of the seed is against it');
    if (reason === undefined && familyOf(editor) === 'unknown') warnOnce(editor, unknownEditors, log);
  }
}

/** The editor's name comes from the client. */
const MAX_EDITORS_REMEMBERED = 100;

function warnOnce(editor: string, unknownEditors: Set<string>, log: Log): void {
  if (unknownEditors.has(editor) || unknownEditors.size >= MAX_EDITORS_REMEMBERED) return;
  unknownEditors.add(editor);
  log.warn(`unknown editor ${editor}: no rule fits it, all its exchanges are counted`);
}

function reasonAgainst(exchange: CopilotExchange, switches: Switches): string | undefined {
  const { kind, choices, editor, status = 0 } = exchange;
  if (switches.failedAnswers && status >= 400) return `the answer is an error ${status}`;
  if (kind === 'completions') {
    const empty = choices.every(({ text }) => text === '');
    return switches.emptyCompletions && empty ? 'the completion has no text' : undefined;
  }
  const { stop, tools, messages } = asObject(exchange.request);
  switch (familyOf(editor)) {
    case 'vscode':
      return switches.vscodeChatsWithStop && isGiven(stop) ? 'the chat asks with "stop"' : undefined;
    case 'jetbrains': {
      const last = Array.isArray(messages) ? asObject(messages.at(-1)) : {};
      if (switches.jetbrainsChatsNotByUser && last.role !== 'user') return 'the last message is not the user’s';
      return switches.jetbrainsChatsWithTools && isGiven(tools) ? 'the chat asks with "tools"' : undefined;
    }
    default:
      return undefined;
  }
}

function familyOf(editor: string): 'vscode' | 'jetbrains' | 'unknown' {
  const name = editor.toLowerCase();
  if (name.includes('vscode')) return 'vscode';
  return name.includes('jetbrains') ? 'jetbrains' : 'unknown';
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

function asObject(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
