/**
 * Says what may be kept of whose exchanges, for the addons behind it: all, metadata, or nothing; under pseudonyms; and
 * with secrets masked. As it comes, everything is kept. What each part does stands in privacy/.
 */
import { type Client, type Context, type CopilotExchange, defineAddon, messageOf } from 'insight-dump';
import { Masking } from './privacy/masking.ts';
import { keepBy, modeOf } from './privacy/modes.ts';
import { noticePage, PAGE_HOST } from './privacy/notice.ts';
import { options, type PrivacyOptions } from './privacy/options.ts';
import { privacyCommand } from './privacy/privacy-command.ts';
import { keptSecret, pseudonymize, pseudonymOf } from './privacy/pseudonyms.ts';

interface State {
  /** What pseudonyms are made with; undefined as long as there are to be none. */
  secret: string | undefined;
  /** Masking has failed, and that has been said. */
  failing: boolean;
}

type PrivacyContext = Context<PrivacyOptions, State>;

const masking = new Masking();

export default defineAddon({
  name: 'privacy',
  options,
  state: (): State => ({ secret: undefined, failing: false }),
  commands: { privacy: privacyCommand },

  async configure({ options, state, paths }: PrivacyContext) {
    if (options.pseudonyms) state.secret ??= await keptSecret(paths);
  },

  done: () => masking.close(),

  connect(tunnel, ctx) {
    call(tunnel.client, ctx);
    if (tunnel.kind === 'http' && tunnel.host === PAGE_HOST) tunnel.intercept();
  },

  requestHeaders(flow, ctx) {
    const { options } = ctx;
    // Pseudonyms may have been switched since it connected.
    call(flow.client, ctx);
    if (flow.request.scheme === 'http' && flow.request.host === PAGE_HOST)
      flow.respond({ status: 200, body: noticePage(flow.client, options) });
  },

  exchange(exchange, _flow, ctx) {
    const { options, state } = ctx;
    exchange.keep = keepBy(modeOf(exchange.user, exchange.groups, options), exchange.keep);
    if (options.pseudonyms && state.secret !== undefined) pseudonymize(exchange, state.secret);
    if (!options.mask || exchange.keep !== 'all') return undefined;
    const { request, response, prompt, choices } = exchange;
    return mask(exchange, { request, response, prompt, choices }, NOTHING_SAID, ctx);
  },

  async telemetry(batch, _flow, ctx) {
    const { options, state } = ctx;
    batch.keep = keepBy(modeOf(batch.user, batch.groups, options), batch.keep);
    if (options.pseudonyms && state.secret !== undefined) batch.user = pseudonymOf(batch.user, state.secret);
    if (options.mask && batch.keep === 'all') await mask(batch, { events: batch.events }, { events: [] }, ctx);
  },
});

/** Says what others are to call a user where it is not for administrators. */
function call(client: Client, { options, state: { secret } }: PrivacyContext): void {
  const { user } = client;
  const isAliased = options.pseudonyms && secret !== undefined && user !== undefined;
  client.alias = isAliased ? pseudonymOf(user, secret) : undefined;
}

const NOTHING_SAID = { request: undefined, response: undefined, prompt: '', choices: [] };

/** Masks what was said. What cannot be masked is not kept. */
async function mask<Said extends object>(
  of: Said & { keep: CopilotExchange['keep'] },
  said: Said,
  nothing: Said,
  { options, state, log }: PrivacyContext,
): Promise<void> {
  // First of all: this hook may be cut off.
  Object.assign(of, nothing, { keep: 'metadata' });
  try {
    Object.assign(of, await masking.mask(said, options.maskTimeoutMs), { keep: 'all' });
    state.failing = false;
  } catch (error) {
    if (!state.failing) log.warn(`cannot mask secrets: ${messageOf(error)}; what was said is not kept`, error);
    state.failing = true;
  }
}
