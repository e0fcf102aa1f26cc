/** `insight-dump prune`: deletes old records, whether a proxy runs or not. */
import { parseArgs } from 'node:util';
import type { CommandContext } from 'insight-dump';
import type { UsageOptions } from './options.ts';
import { describePruned, prune } from './prune.ts';

const USAGE = `insight-dump prune [--days N] [--dry-run]   delete records older than that many full days

Without --days, options.usage.retentionDays counts. Only records of exchanges and of telemetry are deleted, and the
folders that are empty then.
`;

const FLAGS = {
  days: { type: 'string' },
  'dry-run': { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

export async function pruneCommand(args: readonly string[], ctx: CommandContext<UsageOptions>): Promise<string> {
  const { values } = parseArgs({ args: [...args], options: FLAGS });
  if (values.help) return USAGE;
  const days = values.days === undefined ? ctx.options.retentionDays : Number(values.days);
  if (days === undefined)
    throw ctx.usage('for how many days are records kept? Say --days, or options.usage.retentionDays');
  if (!Number.isInteger(days) || days < 1) throw ctx.usage(`--days is ${values.days}: expected a whole number from 1`);
  const options = { days, nowMs: Date.now(), isDry: values['dry-run'] ?? false };
  const pruned = await prune(ctx.paths.logs, options);
  if (pruned.failures.length > 0) throw new Error(describePruned(pruned, options));
  return `${describePruned(pruned, options)}\n`;
}
