// Tells a webhook (Slack's, or your own) when a server fails: is not reached, breaks off, or answers with 500 and up.
// Run it: npx insight-dump -s docs/examples/webhook-on-error.ts --set webhook-on-error.url=https://example.com/hook
import { type Context, defineAddon, type Flow } from 'insight-dump';
import { z } from 'zod';

const httpUrl = z.url({ protocol: /^https?$/ });
const options = z.object({
  url: httpUrl.optional().describe('where notes are posted to; none are without it'),
  pauseMs: z.number().min(0).default(60_000).describe('for so long after a note, no other one tells of its host'),
});
const state = () => ({ quietUntilMs: new Map<string, number>(), failing: false });
type WebhookContext = Context<z.infer<typeof options>, ReturnType<typeof state>>;

export default defineAddon({
  name: 'webhook-on-error',
  options,
  state,
  // Traffic does not wait for the note: the hooks return no promise.
  response(flow, ctx) {
    if (flow.response.status >= 500) void tell(flow, `answered ${flow.response.status}`, ctx);
  },
  error(flow, ctx) {
    // Editors hang up all the time.
    if (flow.error.by !== 'client') void tell(flow, `failed with ${flow.error.code}`, ctx);
  },
});

/** Tells of the host and no more: paths, headers and messages may hold secrets. */
async function tell({ request: { host } }: Flow, what: string, ctx: WebhookContext): Promise<void> {
  const { options, state, log, signal } = ctx;
  if (options.url === undefined || performance.now() < (state.quietUntilMs.get(host) ?? 0)) return;
  state.quietUntilMs.set(host, performance.now() + options.pauseMs);
  const body = JSON.stringify({ text: `insight-dump: ${host} ${what}`, host, what, at: new Date() });
  try {
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(options.url, { method: 'POST', headers, body, signal });
    await answer.body?.cancel();
    if (!answer.ok) throw new Error(`it answered ${answer.status}`);
    state.failing = false;
  } catch (error) {
    if (!signal.aborted && !state.failing) log.warn(`cannot tell the webhook: ${(error as Error).message}`, error);
    state.failing = true;
  }
}
