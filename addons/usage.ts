/**
 * Records each counted exchange as a JSON file under `logs/usage/<user>/<chat|completions>/`: who asked, what was sent
 * and what came back. Never a credential: headers are written by an allow-list.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import {
  type Context,
  type CopilotExchange,
  type CountedAs,
  defineAddon,
  type Flow,
  type HeaderList,
} from 'insight-dump';
import writeFileAtomic from 'write-file-atomic';

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
  exchange: record,
});

async function record(exchange: CopilotExchange, flow: Flow, ctx: UsageContext): Promise<void> {
  const { user, kind, editor, language, counted } = exchange;
  const what = kind === 'chat' ? `💬👄 ${user} chat ${editor}` : `🤖🚗 ${user} completion ${editor} ${language}`;
  if (counted.as === 'nothing') {
    ctx.log.debug(`${what}: not recorded, ${counted.reason}`);
    return;
  }
  const name = fileName(flow, editor, exchange.endMs, ctx.state);
  const file = path.join(ctx.paths.logs, 'usage', segment(user), FOLDERS[counted.as] ?? 'other', name);
  try {
    await write(file, `${JSON.stringify(recordOf(flow, exchange), null, 2)}\n`);
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

/** Where the seed has what counts; everything else lies beside it. */
const FOLDERS: Partial<Record<CountedAs, string>> = { turn: 'chat', completion: 'completions' };

// ---------------------------------------------------------------------------------------------------------- the record

/** The seed's fields, and `insight` with what was made of them. */
function recordOf({ request, response, client }: Flow, exchange: CopilotExchange) {
  const { user, request: asked, response: answered, prompt: _prompt, startMs, endMs, ...found } = exchange;
  const [url] = request.url.split('?');
  return {
    'proxy-authorization': user,
    timestamp: isoMicros(Math.round(endMs * 1000)),
    'proxy-time-consumed': `${(endMs - startMs).toFixed(2)}ms`,
    request: {
      url,
      method: request.method,
      headers: recordedHeaders(request.headers),
      content: asked,
    },
    response: {
      status_code: exchange.status,
      headers: response && recordedHeaders(response.headers),
      content: answered,
    },
    insight: { ...found, user, client: client.address },
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
    await writeFileAtomic(file, text, options);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    await mkdir(path.dirname(file), { recursive: true, mode: 0o700 });
    await writeFileAtomic(file, text, options);
  }
}
