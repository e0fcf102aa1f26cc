/**
 * Limits what each user may use of Copilot in a day: turns, completions, tokens, credits; of users, groups or everyone.
 * It warns on the log and by a webhook, or refuses with an answer that editors show to the user.
 */
import {
  type CopilotEndpoint,
  dateIn,
  defineAddon,
  type Endpoint,
  endpointOf,
  type Flow,
  nextDayMs,
} from 'insight-dump';
import { goesOn, letIn, questionKey, reserve, reserved, reserveOnSocket, settle } from './budgets/admissions.ts';
import { type BudgetsContext, firstState, NO_DAY } from './budgets/context.ts';
import { type Asker, options, type Unit } from './budgets/options.ts';
import { refusal, refusalText } from './budgets/refusal.ts';
import { budgetsCommand } from './budgets/standing-text.ts';
import { type Standing, standingsOf } from './budgets/standings.ts';
import { grow, growthOf, ownSubject, today } from './budgets/tallies.ts';
import { recoverDay, save } from './budgets/tally-file.ts';
import { warn } from './budgets/warnings.ts';
import { lastPosts } from './budgets/webhook.ts';
import { hear, tell } from './budgets/workers.ts';

/** What a request to an endpoint of either kind uses. */
const UNITS_OF: Readonly<Record<Endpoint['kind'], readonly Unit[]>> = {
  chat: ['turns', 'tokens', 'credits'],
  completions: ['completions'],
};

const REFUSED = 'it was refused: the budget is used up';

export default defineAddon({
  name: 'budgets',
  options,
  state: firstState,
  commands: { budgets: budgetsCommand },

  readsWebSocket: (path, { options }: BudgetsContext) =>
    endpointOf(path) !== undefined && options.limits.some(({ action }) => action === 'refuse'),

  async load(ctx: BudgetsContext) {
    const { state } = ctx;
    if (state.day.date === NO_DAY) state.day = (await recoverDay(ctx)) ?? state.day;
  },

  running(ctx: BudgetsContext) {
    tell(ctx, { begins: ctx.worker.number });
  },

  workerMessage: (told, ctx: BudgetsContext) => hear(told as Parameters<typeof hear>[0], ctx),

  requestHeaders(flow, ctx: BudgetsContext) {
    const endpoint = endpointAsked(flow);
    if (endpoint === undefined || ctx.options.limits.length === 0) return;
    const spent = spentOf(flow, endpoint.kind, ctx);
    if (spent !== undefined) refuse(flow, endpoint.endpoint, spent, ctx);
  },

  websocketMessage(flow, message, ctx: BudgetsContext) {
    if (message.from !== 'client' || !message.isText || ctx.options.limits.length === 0) return;
    const endpoint = endpointOf(flow.request.path);
    if (endpoint === undefined) return;
    const { type, initiator } = askedOn(message.text);
    if (type !== 'response.create') return;
    const { admissions } = ctx.state;
    const key = questionKey(askerOf(flow).user, flow.request.headers.get('x-interaction-id') ?? flow.id);
    if (exhausted(flow, endpoint.kind, ctx) === undefined) {
      letInEverywhere(key, ctx);
      if (initiator !== 'agent') reserveOnSocket(admissions, flow, askerOf(flow));
      return;
    }
    if (initiator === 'agent' && goesOn(admissions, key)) return;
    // Nothing can be said on a WebSocket that is open. Who opens another is told.
    ctx.log.debug(`${ownSubject(askerOf(flow)).user}: the WebSocket is closed, the budget is used up`);
    message.drop();
    flow.kill();
  },

  websocketEnd(flow, _close, { state }: BudgetsContext) {
    settle(state.admissions, flow);
  },

  exchange(exchange, flow, ctx: BudgetsContext) {
    const { state, options } = ctx;
    settle(state.admissions, flow);
    if (exchange.keep === 'nothing' || options.limits.length === 0) return;
    const day = today(ctx);
    const growth = growthOf(exchange);
    if (Object.keys(growth).length === 0 || dateIn(options.timeZone, exchange.endMs) < day.date) return;
    const asker = askerOf(flow);
    grow(day, asker, growth);
    tell(ctx, { grown: { date: day.date, asker, growth } });
    warn(standingsOf(asker, options.limits, day), ctx);
    save(ctx);
  },

  async done(ctx: BudgetsContext) {
    await Promise.all([ctx.state.saved, lastPosts(ctx)]);
  },
});

/** What a request asks of Copilot, or a WebSocket is going to. */
function endpointAsked({ request }: Flow): Endpoint | undefined {
  const asks = request.method === 'POST' || isWebSocket(request);
  return asks ? endpointOf(request.path) : undefined;
}

function isWebSocket({ headers }: Flow['request']): boolean {
  return headers.get('upgrade')?.toLowerCase() === 'websocket';
}

/** Limits are of users by their own names, whatever an exchange is recorded by. */
function askerOf({ client: { user = 'anonymous', alias, groups } }: Flow): Asker {
  return { user, alias, groups };
}

/** What is used up, so that a request cannot be let in; undefined where it is, which is noted. */
function spentOf(flow: Flow, kind: Endpoint['kind'], ctx: BudgetsContext): Standing | undefined {
  const { admissions } = ctx.state;
  const { request } = flow;
  const asker = askerOf(flow);
  const interaction = request.headers.get('x-interaction-id');
  const isAgents = request.headers.get('x-initiator') === 'agent';
  const key = questionKey(asker.user, interaction);
  const isChat = kind === 'chat';
  // Without an id, each request that is not an agent's is a question of its own.
  const belongs = isChat && (interaction === undefined ? isAgents : admissions.questions.has(key));
  const spent = exhausted(flow, kind, ctx);
  if (spent !== undefined) return belongs && goesOn(admissions, key) ? undefined : spent;
  if (isChat) letInEverywhere(key, ctx);
  if (!belongs && !isAgents && !isWebSocket(request))
    reserve(admissions, flow, asker, isChat ? 'turns' : 'completions');
  return undefined;
}

function letInEverywhere(key: string, ctx: BudgetsContext): void {
  letIn(ctx.state.admissions, key);
  tell(ctx, { letIn: key });
}

/** The first limit that refuses and has nothing left for a request of that kind. */
function exhausted(flow: Flow, kind: Endpoint['kind'], ctx: BudgetsContext): Standing | undefined {
  const { state, options } = ctx;
  const standings = standingsOf(askerOf(flow), options.limits, today(ctx));
  return standings.find(({ limit, unit, max, tally }) => {
    if (limit.action !== 'refuse' || !UNITS_OF[kind].includes(unit)) return false;
    const used = tally.used[unit];
    // Reservations are looked through only where they can matter.
    if (used + state.admissions.running.size < max) return false;
    return used + reserved(state.admissions, unit, tally.subject) >= max;
  });
}

function refuse(flow: Flow, endpoint: CopilotEndpoint, spent: Standing, { options, log }: BudgetsContext): void {
  const secondsLeft = Math.max(1, Math.ceil((nextDayMs(options.timeZone, Date.now()) - Date.now()) / 1_000));
  const text = refusalText(spent, options, secondsLeft);
  flow.metadata.uncounted = REFUSED;
  flow.respond(refusal(endpoint, text, secondsLeft));
  log.debug(`${ownSubject(askerOf(flow)).user} is refused: ${text}`);
}

function askedOn(text: string): { readonly type?: unknown; readonly initiator?: unknown } {
  try {
    return Object(JSON.parse(text));
  } catch {
    return {};
  }
}
