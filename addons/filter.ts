/**
 * Keeps exchanges that are no use of Copilot from being counted. They pass all the same; later addons find the reason
 * in `flow.metadata.uncounted`.
 *
 * The rules are those of the seed, copilot-proxy-insight, found by watching what editors send: they ask in the
 * background too, and some of what they ask looks like a chat.
 */
import { type CopilotExchange, copilotExchange, defineAddon, type Flow } from 'insight-dump';
import { z } from 'zod';

const rule = (description: string) => z.boolean().default(true).describe(description);

const options = z.object({
  conditionalJudgment: rule('apply any rule at all'),
  failedAnswers: rule('do not count answers with an error status'),
  emptyCompletions: rule('do not count completions with no text in any choice'),
  vscodeChatsWithStop: rule('do not count VS Code chats that ask with "stop": they are made in the background'),
  jetbrainsChatsNotByUser: rule('do not count JetBrains chats whose last message is not the user’s'),
  jetbrainsChatsWithTools: rule('do not count JetBrains chats that ask with "tools"'),
});

type Options = z.infer<typeof options>;

declare module 'insight-dump' {
  interface AddonOptions {
    filter?: z.input<typeof options>;
  }
}

interface State {
  /** Editors that have been warned about. */
  unknownEditors: Set<string>;
}

export default defineAddon({
  name: 'filter',
  options,
  state: (): State => ({ unknownEditors: new Set() }),

  response(flow, { options, state, log }) {
    judge(flow, options, state, (message) => log.warn(message));
  },

  error(flow, { options, state, log }) {
    judge(flow, options, state, (message) => log.warn(message));
  },
});

function judge(flow: Flow, options: Options, { unknownEditors }: State, warn: (message: string) => void): void {
  const exchange = copilotExchange(flow);
  if (exchange === undefined || !options.conditionalJudgment) return;
  const reason = reasonAgainst(exchange, flow.response?.status ?? 0, options);
  if (reason !== undefined) {
    flow.metadata.uncounted = reason;
    return;
  }
  const { editor } = exchange;
  if (familyOf(editor) === 'unknown' && !unknownEditors.has(editor) && unknownEditors.size < MAX_EDITORS_REMEMBERED) {
    unknownEditors.add(editor);
    warn(`unknown editor ${editor}: no rule fits it, all its exchanges are counted`);
  }
}

/** The editor's name comes from the client. */
const MAX_EDITORS_REMEMBERED = 100;

function reasonAgainst(exchange: CopilotExchange, status: number, options: Options): string | undefined {
  const { kind, choices, editor } = exchange;
  if (options.failedAnswers && status >= 400) return `the answer is an error ${status}`;
  if (kind === 'completions') {
    const empty = choices.every(({ text }) => text === '');
    return options.emptyCompletions && empty ? 'the completion has no text' : undefined;
  }
  const { stop, tools, messages } = asObject(exchange.request);
  switch (familyOf(editor)) {
    case 'vscode':
      return options.vscodeChatsWithStop && isGiven(stop) ? 'the chat asks with "stop"' : undefined;
    case 'jetbrains': {
      const last = Array.isArray(messages) ? asObject(messages.at(-1)) : {};
      if (options.jetbrainsChatsNotByUser && last.role !== 'user') return 'the last message is not the user’s';
      return options.jetbrainsChatsWithTools && isGiven(tools) ? 'the chat asks with "tools"' : undefined;
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
