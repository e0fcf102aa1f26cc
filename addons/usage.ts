/**
 * Records each counted exchange as a JSON file under `logs/usage/<user>/<chat|completions>/`: who asked, what was sent
 * and what came back. Never a credential: headers are written by an allow-list.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import {
  type Context,
  type CopilotExchange,
  copilotExchange,
  defineAddon,
  type Flow,
  type HeaderList,
  writeWholeFile,
} from 'insight-dump';

interface State {
  /** Microseconds since the epoch that the last file is named by: no two may have the same. */
  lastMicros: number;
  /** Records that could not be written since the last one that could. */
  lost: number;
}

type UsageContext = Context<unknown, State>;

export default defineAddon({
  name: 'usage',
  state: (): State => ({ lastMicros: 0, lost: 0 }),
  response: record,
  error: record,
});

async function record(flow: Flow, ctx: UsageContext): Promise<void> {
  const exchange = copilotExchange(flow);
  if (exchange === undefined) return;
  const user = flow.client.user ?? 'anonymous';
  const { kind, editor, language, complete } = exchange;
  const what = kind === 'chat' ? `💬👄 ${user} chat ${editor}` : `🤖🚗 ${user} completion ${editor} ${language}`;
  if (!complete) {
    ctx.log.debug(`${what}: cut before it was finished, not recorded`);
    return;
  }
  if (flow.metadata.uncounted !== undefined) {
    ctx.log.debug(`${what}: not counted, ${flow.metadata.uncounted}`);
    return;
  }
  const endMs = flow.timings.end ?? Date.now();
  const file = path.join(ctx.paths.logs, 'usage', segment(user), kind, fileName(flow, editor, endMs, ctx.state));
  try {
    await write(file, `${JSON.stringify(recordOf(flow, exchange, user, endMs), null, 2)}\n`);
    if (ctx.state.lost > 0) ctx.log.warn(`recording again; ${ctx.state.lost} exchanges could not be recorded`);
    ctx.state.lost = 0;
    ctx.log.info(`${what} 😄 ${path.relative('', file)}`);
  } catch (error) {
    ctx.state.lost += 1;
    if (ctx.state.lost === 1) {
      ctx.log.error(`cannot record: ${(error as Error).message}; traffic goes on, usage is lost until it can`, error);
    }
  }
}

// ---------------------------------------------------------------------------------------------------------- the record

/** The seed's fields, and `insight` with what was made of them. */
function recordOf(
  { id, request, response, timings, client }: Flow,
  exchange: CopilotExchange,
  user: string,
  endMs: number,
) {
  const { kind, editor, language, model, choices } = exchange;
  const [url] = request.url.split('?');
  return {
    'proxy-authorization': user,
    timestamp: isoMicros(Math.round(endMs * 1000)),
    'proxy-time-consumed': `${(endMs - timings.start).toFixed(2)}ms`,
    request: {
      url,
      method: request.method,
      headers: recordedHeaders(request.headers),
      content: exchange.request,
    },
    response: {
      status_code: response?.status,
      headers: response && recordedHeaders(response.headers),
      content: exchange.response,
    },
    insight: {
      id,
      user,
      client: client.address,
      kind,
      editor,
      language,
      model,
      choices,
      firstByteMs: timings.firstByte && Number((timings.firstByte - timings.start).toFixed(2)),
      truncated: request.body.truncated || response?.body.truncated === true,
    },
  };
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

function recordedHeaders(headers: HeaderList): Record<string, string> {
  const names = [...headers].map(([name]) => name.toLowerCase()).filter((name) => RECORDED_HEADERS.has(name));
  return Object.fromEntries(names.map((name) => [name, headers.get(name) ?? '']));
}

// ------------------------------------------------------------------------------------------------------------- the file

/** `<UTC time>_<machine id, 10 characters>_<client address>_<editor>.json` */
function fileName({ request, client }: Flow, editor: string, endMs: number, state: State): string {
  state.lastMicros = Math.max(Math.round(endMs * 1000), state.lastMicros + 1);
  const machine = (request.headers.get('vscode-machineid') ?? '-').slice(0, 10);
  const parts = [isoMicros(state.lastMicros), machine, client.address, editor];
  // The time's colons become dashes, as Windows wants it.
  return `${parts.map((part) => segment(part.replaceAll(':', '-'))).join('_')}.json`;
}

/** As Python's `datetime.isoformat()` writes it, which is what the seed's files have. */
function isoMicros(micros: number): string {
  const millis = new Date(Math.floor(micros / 1000)).toISOString().slice(0, -1);
  return millis + String(micros % 1000).padStart(3, '0');
}

/** A name as one segment of a path. What could mean something there is percent-encoded, so that no two names meet. */
function segment(name: string): string {
  const safe = name.replace(/[%/\\:*?"<>|\p{Cc}]/gu, (character) =>
    encodeURIComponent(character).replaceAll('*', '%2A'),
  );
  return safe.replace(/^\.+$/, (dots) => '%2E'.repeat(dots.length));
}

/** Whole or not at all, and readable by the owner only. */
async function write(file: string, text: string): Promise<void> {
  const options = { mode: 0o600 };
  try {
    await writeWholeFile(file, text, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeWholeFile(file, text, options);
  }
}
