import type { Choice, CopilotExchange, Flow, HeaderList } from '../addon.ts';
import { redact } from '../redact.ts';

/** An exchange without what was asked and answered: all that can be counted, and nothing that was said. */
export type Insight = Omit<
  CopilotExchange,
  'keep' | 'address' | 'machine' | 'request' | 'response' | 'prompt' | 'choices' | 'count'
> & {
  /** IP address of the client, or what an addon has put in its place. */
  readonly client: string;
  /** In a record: which worker made it, if not the first. */
  readonly worker?: number;
};

/** A record as it lies on disk: the seed's fields, and one of our own. */
export interface UsageRecord {
  readonly 'proxy-authorization': string;
  /** UTC, with microseconds, as Python writes it. */
  readonly timestamp: string;
  readonly 'proxy-time-consumed': string;
  readonly request: {
    /** Without its query. */
    readonly url: string;
    readonly method: string;
    readonly headers: Readonly<Record<string, string>>;
    /** Not there if only metadata may be kept. */
    readonly content?: unknown;
  };
  readonly response: {
    /** Null if there was no answer. */
    readonly status_code: number | null;
    readonly headers: Readonly<Record<string, string>>;
    readonly content?: unknown;
  };
  readonly insight: Insight & { readonly prompt?: string; readonly choices?: readonly Choice[] };
}

/** What can be counted of an exchange. Named one by one: to leave some out of an object takes V8 twenty times as long. */
export function insightOf(exchange: CopilotExchange): Insight {
  return {
    id: exchange.id,
    user: exchange.user,
    groups: exchange.groups,
    endpoint: exchange.endpoint,
    kind: exchange.kind,
    transport: exchange.transport,
    editor: exchange.editor,
    plugin: exchange.plugin,
    surface: exchange.surface,
    language: exchange.language,
    languageInferred: exchange.languageInferred,
    model: exchange.model,
    answeredBy: exchange.answeredBy,
    interaction: exchange.interaction,
    status: exchange.status,
    outcome: exchange.outcome,
    failure: exchange.failure,
    truncated: exchange.truncated,
    tokens: exchange.tokens,
    credits: exchange.credits,
    quota: exchange.quota,
    startMs: exchange.startMs,
    endMs: exchange.endMs,
    firstTokenMs: exchange.firstTokenMs,
    tokensPerSecond: exchange.tokensPerSecond,
    counted: exchange.counted,
    client: exchange.address,
  };
}

/**
 * An exchange as it is recorded: never with a credential, and with what was said only if that may be kept.
 *
 * @param wantsContent whether what was said is to be in it, if it may be
 */
export function recordOf(exchange: CopilotExchange, flow: Flow, wantsContent = true): UsageRecord {
  const { user, keep, machine, startMs, endMs, prompt, choices } = exchange;
  const { request, response } = flow;
  const [url = ''] = request.url.split('?');
  const isWhole = wantsContent && keep === 'all';
  const insight: UsageRecord['insight'] = insightOf(exchange);
  return {
    'proxy-authorization': user,
    timestamp: isoMicros(Math.round(endMs * 1000)),
    'proxy-time-consumed': `${(endMs - startMs).toFixed(2)}ms`,
    request: {
      url: redact(url),
      method: request.method,
      headers: recordedHeaders(request.headers, machine),
      content: isWhole ? exchange.request : undefined,
    },
    response: {
      status_code: exchange.status ?? null,
      headers: response === undefined ? {} : recordedHeaders(response.headers),
      content: isWhole ? exchange.response : undefined,
    },
    insight: isWhole ? Object.assign(insight, { prompt, choices }) : insight,
  };
}

/** As Python's `datetime.isoformat()` writes it, which is what the seed's files have. */
export function isoMicros(micros: number): string {
  const millis = new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1);
  return millis + String(micros % 1000).padStart(3, '0');
}

/** What is written of headers; everything else may hold a secret, today or tomorrow. */
const RECORDED_HEADERS = new Set([
  'accept',
  'accept-encoding',
  'annotations-enabled',
  'azureml-model-deployment',
  'code-quote-enabled',
  'content-encoding',
  'content-length',
  'content-security-policy',
  'content-type',
  'copilot-integration-id',
  'copilot-language-server-version',
  'copilot-vision-request',
  'date',
  'editor-plugin-version',
  'editor-version',
  'openai-intent',
  'openai-organization',
  'openai-processing-ms',
  'retry-after',
  'strict-transport-security',
  'user-agent',
  'vscode-machineid',
  'vscode-sessionid',
  'x-copilot-async',
  'x-copilot-speculative',
  'x-github-api-version',
  'x-github-backend',
  'x-github-request-id',
  'x-initiator',
  'x-interaction-id',
  'x-interaction-type',
  'x-onbehalf-extension-id',
  'x-quota-snapshot-chat',
  'x-quota-snapshot-premium_interactions',
  'x-quota-snapshot-premium_models',
  'x-ratelimit-exceeded',
  'x-request-id',
]);

/** @param machine what stands in for the id of the machine */
function recordedHeaders(headers: HeaderList, machine?: string): Record<string, string> {
  const recorded: Record<string, string> = {};
  for (const [written, value] of headers) {
    const name = written.toLowerCase();
    if (!RECORDED_HEADERS.has(name)) continue;
    const before = recorded[name];
    recorded[name] = redact(before === undefined ? value : `${before}, ${value}`);
  }
  if (recorded['vscode-machineid'] !== undefined) recorded['vscode-machineid'] = redact(machine ?? '');
  return recorded;
}
