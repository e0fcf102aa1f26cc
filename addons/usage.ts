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
  isoMicros,
  recordOf,
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
  exchange: record,
});

async function record(exchange: CopilotExchange, flow: Flow, ctx: UsageContext): Promise<void> {
  const { user, kind, editor, language, counted } = exchange;
  const what = kind === 'chat' ? `💬👄 ${user} chat ${editor}` : `🤖🚗 ${user} completion ${editor} ${language}`;
  if (exchange.keep === 'nothing' || counted.as === 'nothing') {
    ctx.log.debug(`${what}: not recorded, ${counted.reason}`);
    return;
  }
  const name = fileName(flow, editor, exchange.endMs, ctx.state);
  const file = path.join(ctx.paths.logs, 'usage', segment(user), FOLDERS[counted.as] ?? 'other', name);
  try {
    await write(file, `${JSON.stringify(recordOf(exchange, flow), null, 2)}\n`);
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

// ------------------------------------------------------------------------------------------------------------- the file

/** `<UTC time>_<machine id, 10 characters>_<client address>_<editor>.json` */
function fileName({ request, client }: Flow, editor: string, endMs: number, state: State): string {
  state.lastMicros = Math.max(Math.round(endMs * 1000), state.lastMicros + 1);
  const machine = (request.headers.get('vscode-machineid') ?? '-').slice(0, 10);
  const parts = [isoMicros(state.lastMicros), machine, client.address, editor];
  // The time's colons become dashes, as Windows wants it.
  return `${parts.map((part) => segment(part.replaceAll(':', '-'))).join('_')}.json`;
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
