/**
 * Records each counted exchange as a JSON file under `logs/usage/<user>/<chat|completions>/`: who asked, what was sent
 * and what came back. Never a credential: headers are written by an allow-list.
 */
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import {
  type Context,
  type CopilotExchange,
  defineAddon,
  type Flow,
  isoMicros,
  jsonName,
  NAMED_BESIDE_MS,
  recordFolder,
  recordOf,
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
  if (exchange.keep === 'nothing' || counted.as === 'nothing') {
    ctx.log.debug(`${what}: not recorded, ${counted.reason}`);
    return;
  }
  const file = path.join(ctx.paths.logs, recordFolder(user, counted.as), fileName(exchange, flow, ctx.state));
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

// ------------------------------------------------------------------------------------------------------------- the file

function fileName({ editor, endMs }: CopilotExchange, { request, client }: Flow, state: State): string {
  const micros = Math.round(endMs * 1000);
  // A clock that was set back begins anew.
  const isBeside = Math.abs(state.lastMicros - micros) < (NAMED_BESIDE_MS / 2) * 1000;
  state.lastMicros = isBeside ? Math.max(micros, state.lastMicros + 1) : micros;
  const machine = request.headers.get('vscode-machineid') ?? '-';
  return jsonName(isoMicros(state.lastMicros), machine, client.address, editor);
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
