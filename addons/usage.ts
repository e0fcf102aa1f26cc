/**
 * Records each use of Copilot under `logs/usage/<user>/<chat|completions|other>/`: who asked, what was sent and what
 * came back. Never a credential: headers are written by an allow-list. What each part does stands in usage/.
 */
import {
  type CopilotExchange,
  type CountedAs,
  defineAddon,
  type Flow,
  isoMicros,
  jsonName,
  NAMED_BESIDE_MS,
  recordFolder,
  recordOf,
  type Worker,
} from 'insight-dump';
import { firstState, type UsageContext } from './usage/context.ts';
import { options } from './usage/options.ts';
import { pruneCommand } from './usage/prune-command.ts';
import { recoverOnce } from './usage/recovery.ts';
import { lookAfter } from './usage/upkeep.ts';
import { beginWriting, enqueue, enqueueAndWait, finishWriting } from './usage/writing.ts';

export default defineAddon({
  name: 'usage',
  options,
  state: firstState,
  commands: { prune: pruneCommand },

  // Before any addon behind reads records, and there is a journal of this process.
  load: recoverOnce,

  running(ctx) {
    beginWriting(ctx);
    void lookAfter(ctx);
  },

  done: finishWriting,

  exchange: record,
});

/** Whose content is kept: what the seed records. All else is there to be counted. */
const WHOLE: ReadonlySet<CountedAs> = new Set<CountedAs>(['turn', 'completion']);

/** Resolves when it is on the disk, if records are forced to it; those behind, such as metrics, come after that then. */
function record(exchange: CopilotExchange, flow: Flow, ctx: UsageContext): void | Promise<void> {
  const { options, log, worker } = ctx;
  const { user, kind, editor, language, keep, counted, endMs } = exchange;
  const said = kind === 'chat' ? `💬👄 ${user} chat ${editor}` : `🤖🚗 ${user} completion ${editor} ${language}`;
  if (keep === 'nothing') {
    log.debug(`${said}: not recorded, as nothing of it may be kept`);
    return;
  }
  const counts = WHOLE.has(counted.as);
  const record = recordOf(exchange, flow, counts || options.otherContent);
  const whole = worker.number === 1 ? record : { ...record, insight: { ...record.insight, worker: worker.number } };
  const isJson = options.format === 'json';
  const put = options.fsync === 'always' ? enqueueAndWait : enqueue;
  return put(
    {
      folder: recordFolder(user, counted.as),
      name: isJson ? fileName(exchange, ctx) : new Date(endMs).toISOString().slice(0, 10),
      format: options.format,
      bytes: Buffer.from(`${JSON.stringify(whole, null, isJson ? 2 : 0)}\n`),
      said: counts ? said : `${said} (${counted.as}: ${counted.reason})`,
      level: counts ? 'info' : 'debug',
    },
    ctx,
  );
}

/** The next one that is this worker's: no two workers may name a file the same, so they take turns. */
function ownMicros(micros: number, { number, count }: Worker): number {
  const turn = number - 1;
  return Math.ceil((Math.round(micros) - turn) / count) * count + turn;
}

function fileName({ editor, endMs, machine = '-', address }: CopilotExchange, { state, worker }: UsageContext): string {
  const micros = ownMicros(endMs * 1000, worker);
  // A clock that was set back begins anew.
  const isBeside = Math.abs(state.lastMicros - micros) < (NAMED_BESIDE_MS / 2) * 1000;
  state.lastMicros = isBeside ? Math.max(micros, state.lastMicros + worker.count) : micros;
  return jsonName(isoMicros(state.lastMicros), machine, address, editor);
}
