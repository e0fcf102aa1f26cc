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

/** An exchange as addons get it. */
export class DecodedExchange implements CopilotExchange {
  readonly id: string;
  user: string;
  readonly groups: readonly string[];
  address: string;
  machine: string | undefined;
  keep: CopilotExchange['keep'] = 'all';
  readonly endpoint: CopilotExchange['endpoint'];
  readonly kind: CopilotExchange['kind'];
  readonly transport: CopilotExchange['transport'];
  readonly editor: string;
  readonly plugin: string | undefined;
  readonly surface: CopilotExchange['surface'];
  readonly language: string;
  readonly languageInferred: boolean;
  readonly model: string | undefined;
  readonly answeredBy: string | undefined;
  readonly interaction: string | undefined;
  request: unknown;
  response: unknown;
  prompt: string;
  choices: CopilotExchange['choices'];
  readonly status: number | undefined;
  readonly outcome: CopilotExchange['outcome'];
  readonly failure: string | undefined;
  readonly truncated: boolean;
  readonly tokens: Tokens;
  readonly credits: number | undefined;
  readonly quota: CopilotExchange['quota'];
  readonly startMs: number;
  readonly endMs: number;
  readonly firstTokenMs: number | undefined;
  readonly tokensPerSecond: number | undefined;
  counted: Counted;

  constructor({ flow, endpoint: { endpoint, kind }, asked, answer, request, initiator, ...findings }: Findings) {
    const { headers, path } = flow.request;
    this.id = findings.id;
    this.user = flow.client.user ?? 'anonymous';
    this.groups = flow.client.groups;
    this.address = flow.client.address;
    this.machine = headers.get('vscode-machineid');
    this.endpoint = endpoint;
    this.kind = kind;
    this.transport = findings.transport;
    const { editor, plugin, surface } = clientOf(headers);
    this.editor = editor;
    this.plugin = plugin;
    this.surface = surface;
    this.model = named(asked.model) ?? named(engineOf(path));
    this.answeredBy = named(answer.model);
    this.interaction = named(findings.interaction);
    this.request = request;
    this.response = findings.response;
    this.prompt = asked.prompt;
    this.choices = answer.choices;
    const told = named(textAt(request, 'extra', 'language'));
    this.language = told ?? named(languageOf({ ...asked, choices: this.choices })) ?? 'unknown';
    this.languageInferred = told === undefined && this.language !== 'unknown';
    this.status = findings.status;
    this.outcome = outcomeOf(answer, findings);
    this.failure = this.outcome === 'failed' ? named(failureOf(answer, findings)) : undefined;
    this.truncated = findings.truncated || answer.truncated;
    this.tokens = this.status === undefined ? NO_TOKENS : tokensOf(endpoint, request, answer, this.choices);
    this.credits = answer.nanoCredits === undefined ? undefined : answer.nanoCredits / NANO_PER_CREDIT;
    this.quota = quotaOf(flow.response?.headers, answer.quotas);
    this.startMs = findings.startMs;
    this.endMs = findings.endMs;
    this.firstTokenMs = findings.firstTokenMs;
    this.tokensPerSecond = rateOf(this);
    const { uncounted } = flow.metadata;
    const { model, choices, outcome } = this;
    this.counted =
      uncounted === undefined
        ? classify({ endpoint, headers, asked, initiator, model, choices, outcome })
        : { as: 'nothing', reason: uncounted };
  }

  count(as: CountedAs, reason: string): void {
    this.counted = { as, reason };
  }
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

function rateOf({ tokens, startMs, endMs, firstTokenMs }: CopilotExchange): number | undefined {
  const seconds = firstTokenMs === undefined ? 0 : (endMs - startMs - firstTokenMs) / 1000;
  return seconds > 0 && tokens.completion > 0 ? tokens.completion / seconds : undefined;
}
