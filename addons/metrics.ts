/**
 * Counts what each user does with Copilot, day by day, in `logs/metrics/copilot-usage_YYYY-MM-DD.json`: chats and
 * completions by editor and language as copilot-proxy-insight does, and much more beside them. What each part does stands
 * in metrics/, what each key means in docs/metrics.md.
 */
import { randomUUID } from 'node:crypto';
import { defineAddon, messageOf } from 'insight-dump';
import { catchUp, endJournal } from './metrics/catching-up.ts';
import { firstState, type MetricsContext, options } from './metrics/context.ts';
import { useOf, useOfAcceptance } from './metrics/day.ts';
import { metricsFolder } from './metrics/day-file.ts';
import { count, flush, goOn, hear, lookAfterDays } from './metrics/keeping.ts';
import { sayNothing } from './metrics/presence.ts';
import { reportCommand } from './metrics/report-command.ts';
import { hasFiles, type Told } from './metrics/workers.ts';

export default defineAddon({
  name: 'metrics',
  options,
  state: firstState,
  commands: { report: reportCommand },

  running(ctx: MetricsContext) {
    goOn(ctx);
    ctx.state.lookingAfter = lookAfterDays(ctx);
    ctx.state.catchingUp = catchUp(ctx).catch((error) =>
      ctx.log.error(`cannot look for what an earlier run has not counted: ${messageOf(error)}`, error),
    );
  },

  exchange(exchange, _flow, ctx: MetricsContext) {
    const use = exchange.keep === 'nothing' ? undefined : useOf(exchange);
    if (use !== undefined) count(use, ctx);
  },

  acceptance({ timeMs, ...told }, _flow, ctx: MetricsContext) {
    count(useOfAcceptance({ ...told, id: randomUUID(), endMs: timeMs }), ctx);
  },

  workerMessage: (told, ctx: MetricsContext) => hear(told as Told, ctx),

  async done(ctx: MetricsContext) {
    await ctx.state.catchingUp;
    await flush(ctx);
    await endJournal(ctx);
    await ctx.state.lookingAfter;
    if (hasFiles(ctx.worker)) await sayNothing(metricsFolder(ctx.paths.logs));
  },
});
