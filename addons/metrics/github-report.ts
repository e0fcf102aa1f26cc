/**
 * Users' days under the field names of GitHub's own usage reports, one JSON object a line, so that what reads those
 * (https://docs.github.com/en/rest/copilot/copilot-usage-metrics) can read these. What a proxy cannot see is null.
 */
import type { Cell } from './cells.ts';
import type { Day, Person } from './day.ts';
import { cellsBy, creditsOf, sorted, type Totals, totalsOf } from './totals.ts';

export function githubReport(day: Day): string {
  return [...sorted(day.users)]
    .map(([user, person]) => `${JSON.stringify(userDay(day.date, user, person))}\n`)
    .join('');
}

function userDay(day: string, user: string, { cells }: Person) {
  const all = [...cells.values()];
  // GitHub leaves the command line out of all totals but its own.
  const ide = all.filter(({ surface }) => surface !== 'cli');
  const cli = all.filter(({ surface, exchanges }) => surface === 'cli' && exchanges > 0);
  const featured = ide.filter((cell) => featureOf(cell) !== undefined);
  const { counted } = totalsOf(ide);
  return {
    day,
    enterprise_id: null,
    organization_id: null,
    user_id: null,
    user_login: user,
    ...activity(ide),
    totals_by_ide: totals(featured, { ide: ideOf }).map((each) => ({
      ...each,
      last_known_ide_version: versionOf(featured.filter((cell) => ideOf(cell) === each.ide)),
      last_known_plugin_version: null,
    })),
    totals_by_feature: totals(featured, { feature: featureOf }),
    totals_by_language_feature: totals(featured, { language: ({ language }) => language, feature: featureOf }),
    totals_by_language_model: totals(featured, { language: ({ language }) => language, model: ({ model }) => model }),
    totals_by_model_feature: totals(featured, { model: ({ model }) => model, feature: featureOf }),
    totals_by_cli: cliTotals(cli),
    used_agent: (counted.step ?? 0) + (counted.subagent ?? 0) > 0,
    used_chat: (counted.turn ?? 0) > 0,
    used_cli: cli.some(({ counted_as }) => counted_as !== 'nothing'),
    used_copilot_coding_agent: null,
    used_copilot_cloud_agent: null,
    used_copilot_code_review_active: null,
    used_copilot_code_review_passive: null,
    ai_adoption_phase: null,
    ai_credits_used: creditsOf(totalsOf(all)),
  };
}

/** What GitHub counts of each part. Completions are those that were returned, where no editor told which were shown. */
function activity(cells: readonly Cell[]) {
  const totals = totalsOf(cells);
  const isTold = totals.shown + totals.accepted + totals.rejected > 0;
  return {
    user_initiated_interaction_count: totals.counted.turn ?? 0,
    code_generation_activity_count: isTold ? totals.shown : (totals.counted.completion ?? 0),
    code_acceptance_activity_count: isTold ? totals.accepted : null,
    loc_suggested_to_add_sum: null,
    loc_suggested_to_delete_sum: null,
    loc_added_sum: isTold ? totals.accepted_lines : null,
    loc_deleted_sum: null,
  };
}

type Names = Readonly<Record<string, (cell: Cell) => string | undefined>>;

/** One object for all cells that have the same under each name. */
function totals<N extends Names>(cells: readonly Cell[], names: N) {
  const namesOf = (cell: Cell) => Object.entries(names).map(([name, of]) => [name, of(cell) ?? 'unknown'] as const);
  return [...cellsBy(cells, (cell) => JSON.stringify(namesOf(cell))).values()].map((some) => ({
    ...(Object.fromEntries(namesOf(some[0] as Cell)) as Record<keyof N, string>),
    ...activity(some),
  }));
}

/**
 * Which mode a chat is in, a proxy is not told. What the model asks by itself, GitHub counts under no feature.
 */
function featureOf({ counted_as }: Cell): string | undefined {
  if (counted_as === 'turn') return 'chat_panel_unknown_mode';
  return counted_as === 'completion' ? 'code_completion' : undefined;
}

/** GitHub has one name for all of JetBrains' IDEs. */
function ideOf({ editor }: Cell): string {
  const { name } = splitEditor(editor);
  if (name === '') return 'unknown';
  return name.startsWith('jetbrains') ? 'intellij' : name;
}

/** The newest: which was used last is not known. */
function versionOf(cells: readonly Cell[]) {
  const versions = cells.map(({ editor }) => splitEditor(editor).version).filter((version) => version !== '');
  const order = new Intl.Collator('en', { numeric: true });
  const newest = versions.sort(order.compare).at(-1);
  return newest === undefined ? null : { ide_version: newest, sampled_at: null };
}

/** `vscode-1.96.2` is `vscode` and `1.96.2`. */
function splitEditor(editor: string): { name: string; version: string } {
  const [, name = editor, version = ''] = /^(.*?)-(\d.*)$/.exec(editor) ?? [];
  return { name: (name === '-' ? '' : name).toLowerCase(), version };
}

function cliTotals(cells: readonly Cell[]) {
  if (cells.length === 0) return null;
  const { counted, prompt_tokens, completion_tokens }: Totals = totalsOf(cells);
  const requests = Object.values(counted).reduce((sum, count) => sum + count, 0);
  const version = versionOf(cells);
  return {
    session_count: null,
    request_count: requests,
    prompt_count: counted.turn ?? 0,
    token_usage: {
      prompt_tokens_sum: prompt_tokens,
      output_tokens_sum: completion_tokens,
      avg_tokens_per_request: requests === 0 ? 0 : (prompt_tokens + completion_tokens) / requests,
    },
    last_known_cli_version: version === null ? null : { cli_version: version.ide_version, sampled_at: null },
  };
}
