/**
 * Says what may be kept of whose exchanges, for the addons behind it: all, metadata, or nothing; under pseudonyms; and
 * with secrets masked. As it comes, everything is kept. What each part does stands in privacy/.
 */
import { type Context, type CopilotExchange, defineAddon, messageOf } from 'insight-dump';
import { Masking } from './privacy/masking.ts';
import { keepBy, modeOf } from './privacy/modes.ts';
import { noticePage, PAGE_HOST } from './privacy/notice.ts';
import { options, type PrivacyOptions } from './privacy/options.ts';
import { privacyCommand } from './privacy/privacy-command.ts';
import { keptSecret, pseudonymize } from './privacy/pseudonyms.ts';

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

  connect(tunnel) {
    if (tunnel.kind === 'http' && tunnel.host === PAGE_HOST) tunnel.intercept();
  },

  requestHeaders(flow, { options }) {
    if (flow.request.scheme === 'http' && flow.request.host === PAGE_HOST)
      flow.respond({ status: 200, body: noticePage(flow.client, options) });
  },

  async exchange(exchange, _flow, ctx) {
    const { options, state } = ctx;
    exchange.keep = keepBy(modeOf(exchange.user, exchange.groups, options), exchange.keep);
    if (options.pseudonyms && state.secret !== undefined) pseudonymize(exchange, state.secret);
    if (options.mask && exchange.keep === 'all') await mask(exchange, ctx);
  },
});

/** What cannot be masked is not kept. */
async function mask(exchange: CopilotExchange, { options, state, log }: PrivacyContext): Promise<void> {
  const { request, response, prompt, choices } = exchange;
  // First of all: this hook may be cut off.
  Object.assign(exchange, { keep: 'metadata', request: undefined, response: undefined, prompt: '', choices: [] });
  try {
    const masked = await masking.mask({ request, response, prompt, choices }, options.maskTimeoutMs);
    Object.assign(exchange, masked, { keep: 'all' });
    state.failing = false;
  } catch (error) {
    if (!state.failing) log.warn(`cannot mask secrets: ${messageOf(error)}; what was said is not kept`, error);
    state.failing = true;
  }
}
