// Counts chats and completions by team in logs/teams.json, since the proxy was started. List it after addons/auth.ts.
// Run it: npx insight-dump -s docs/examples/count-by-team.ts --set 'count-by-team.teams={"alice":"red","bob":"blue"}'
import { rename, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, type CopilotExchange, defineAddon, type Flow, type UsageKind } from 'insight-dump';
import { z } from 'zod';

const options = z.object({
  teams: z.record(z.string(), z.string()).default({}).describe('team of each user; of others it is their first group'),
  others: z.string().default('others').describe('team of whoever is in none'),
});

type Counts = Record<UsageKind, number>;
const state = () => ({ since: new Date(), teams: new Map<string, Counts>(), dirty: false, saved: Promise.resolve() });
type TeamContext = Context<z.infer<typeof options>, ReturnType<typeof state>>;

// At the end, the signal has cut the pause short: what is not in the file yet is being written.
const done = ({ state }: TeamContext) => state.saved;
export default defineAddon({ name: 'count-by-team', options, state, exchange: count, done });

function count({ kind, counted }: CopilotExchange, flow: Flow, ctx: TeamContext): void {
  const { options, state } = ctx;
  if (counted.as !== 'turn' && counted.as !== 'completion') return;
  // By map, since a user may be called `constructor`.
  const team =
    new Map(Object.entries(options.teams)).get(flow.client.user ?? '') ?? flow.client.groups[0] ?? options.others;
  const counts = state.teams.get(team) ?? { chat: 0, completions: 0 };
  counts[kind] += 1;
  state.teams.set(team, counts);
  if (!state.dirty) state.saved = state.saved.then(() => save(ctx));
  state.dirty = true;
}

/** Waits for more to count, and writes it all. */
async function save({ state, paths, log, signal }: TeamContext): Promise<void> {
  await sleep(1_000, undefined, { signal }).catch(() => {});
  state.dirty = false;
  const text = JSON.stringify({ since: state.since, teams: Object.fromEntries(state.teams) }, null, 2);
  const file = `${paths.logs}/teams.json`;
  // By way of another file, so that whoever reads this one finds it whole.
  const saved = writeFile(`${file}.new`, `${text}\n`, { mode: 0o600 }).then(() => rename(`${file}.new`, file));
  await saved.catch((error) => log.error(`cannot write ${file}: ${error.message}`, error));
}
