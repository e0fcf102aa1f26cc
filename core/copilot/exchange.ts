import type { CopilotExchange, Counted, CountedAs, Flow, Tokens } from '../addon.ts';
import { redact } from '../redact.ts';
import type { Answer } from './answer.ts';
import { classify } from './classify.ts';
import { clientOf } from './client.ts';
import { type Endpoint, engineOf } from './endpoint.ts';
import { textAt } from './json.ts';
import { languageOf } from './language.ts';
import { quotaOf } from './quota.ts';
import type { Asked } from './request.ts';
import { NO_TOKENS, tokensOf } from './tokens.ts';

/** What has been found out about one exchange, once it is over. */
export interface Findings {
  readonly id: string;
  readonly flow: Flow;
  readonly endpoint: Endpoint;
  readonly transport: CopilotExchange['transport'];
  readonly asked: Asked;
  readonly answer: Answer;
  /** Who asked, by header or frame. */
  readonly initiator: string | undefined;
  readonly interaction: string | undefined;
  /** What is kept of them. */
  readonly request: unknown;
  readonly response: unknown;
  /** Undefined without an answer. */
  readonly status: number | undefined;
  /** Who or what broke it off before it was over, if anybody did. */
  readonly cut: { readonly by: string; readonly code: string } | undefined;
  readonly truncated: boolean;
  readonly startMs: number;
  readonly endMs: number;
  readonly firstTokenMs: number | undefined;
}

/** What exchanges have in common: so that they can be copied and compared as data. */
const EXCHANGE = {
  count(this: { counted: Counted }, as: CountedAs, reason: string): void {
    this.counted = { as, reason };
  },
};

/** An exchange as addons get it. */
export function exchangeOf(found: Findings): CopilotExchange {
  const { flow, asked, answer, request, initiator, status, startMs, endMs, firstTokenMs } = found;
  const { endpoint, kind } = found.endpoint;
  const { client, metadata, response } = flow;
  const { headers, path } = flow.request;
  const { choices } = answer;
  const { editor, plugin, surface } = clientOf(headers);
  const outcome = outcomeOf(answer, found);
  const model = named(asked.model) ?? named(engineOf(path));
  const told = named(textAt(request, 'extra', 'language'));
  const language = told ?? named(languageOf({ choices, words: asked.words, files: asked.files })) ?? 'unknown';
  const tokens = status === undefined ? NO_TOKENS : tokensOf(endpoint, request, answer, choices);
  const data: Omit<CopilotExchange, 'count'> = {
    id: found.id,
    user: client.user ?? 'anonymous',
    groups: client.groups,
    address: client.address,
    machine: headers.get('vscode-machineid'),
    keep: 'all',
    endpoint,
    kind,
    transport: found.transport,
    editor,
    plugin,
    surface,
    language,
    languageInferred: told === undefined && language !== 'unknown',
    model,
    answeredBy: named(answer.model),
    interaction: named(found.interaction),
    request,
    response: found.response,
    prompt: asked.prompt,
    choices,
    status,
    outcome,
    failure: outcome === 'failed' ? named(failureOf(answer, found)) : undefined,
    truncated: found.truncated || answer.truncated,
    tokens,
    credits: answer.nanoCredits === undefined ? undefined : answer.nanoCredits / NANO_PER_CREDIT,
    quota: quotaOf(response?.headers, answer.quotas),
    startMs,
    endMs,
    firstTokenMs,
    tokensPerSecond: rateOf(tokens, found),
    counted:
      metadata.uncounted === undefined
        ? classify({ endpoint, headers, asked, initiator, model, choices, outcome })
        : { as: 'nothing', reason: metadata.uncounted },
  };
  return Object.setPrototypeOf(data, EXCHANGE);
}

const NANO_PER_CREDIT = 1e9;

/** Names come from clients and servers, and end up as keys and in the names of files. */
const MAX_NAME_LENGTH = 64;

function named(name: string | undefined): string | undefined {
  return name === undefined || name === '' ? undefined : redact(name.slice(0, MAX_NAME_LENGTH));
}

function outcomeOf(answer: Answer, { status = 0, cut }: Pick<Findings, 'status' | 'cut'>): CopilotExchange['outcome'] {
  if (answer.failure !== undefined || status >= 400) return 'failed';
  if (answer.cancelled) return 'cancelled';
  if (cut === undefined) return 'complete';
  if (cut.by !== 'client') return 'failed';
  return answer.finished ? 'complete' : 'cancelled';
}

function failureOf(answer: Answer, { status = 0, cut }: Pick<Findings, 'status' | 'cut'>): string {
  return answer.failure ?? (status >= 400 ? String(status) : (cut?.code ?? 'unknown'));
}

function rateOf(
  { completion }: Tokens,
  { startMs, endMs, firstTokenMs }: Pick<Findings, 'startMs' | 'endMs' | 'firstTokenMs'>,
): number | undefined {
  const seconds = firstTokenMs === undefined ? 0 : (endMs - startMs - firstTokenMs) / 1000;
  return seconds > 0 && completion > 0 ? completion / seconds : undefined;
}
