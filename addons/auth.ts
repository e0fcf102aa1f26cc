/**
 * Decides who may use the proxy: Basic proxy authentication (RFC 7617) against users that the config names, those of an
 * htpasswd file, and those that the command `insight-dump users` has added. What each part does stands in auth/.
 */
import { type Client, defineAddon, describePath, printable, type Tunnel } from 'insight-dump';
import { accountFiles } from './auth/account-files.ts';
import type { Account } from './auth/accounts.ts';
import { readBasic } from './auth/basic.ts';
import { type AuthContext, firstState } from './auth/context.ts';
import { countFailure, networkOf, slowDown } from './auth/failures.ts';
import { beginFollowing, follow } from './auth/following.ts';
import { TooManyChecks } from './auth/hash-checks.ts';
import { issuePasswords } from './auth/issued.ts';
import { options } from './auth/options.ts';
import { readRemembered, recall, remember } from './auth/remembered.ts';
import { say } from './auth/said.ts';
import { usersCommand } from './auth/users-command.ts';
import { verify } from './auth/verify.ts';

export default defineAddon({
  name: 'auth',
  options,
  authenticates: true,
  state: firstState,
  commands: { users: usersCommand },

  async configure(ctx) {
    const { options, state, paths } = ctx;
    await issuePasswords(ctx);
    await beginFollowing(ctx);
    if (options.rememberClients && state.remembered === undefined)
      state.remembered = { byAddress: await readRemembered(paths), dirty: false, saved: Promise.resolve() };
  },

  running(ctx) {
    greet(ctx);
    void follow(ctx);
  },

  done: ({ state }) => state.remembered?.saved,

  async connect(tunnel, ctx) {
    const { client, proxyAuthorization } = tunnel;
    const { options } = ctx;
    if (proxyAuthorization === undefined) {
      admitUnnamed(tunnel, ctx);
      return;
    }
    const sinceMs = performance.now();
    const readings = readBasic(proxyAuthorization);
    const account = await verify(readings, client.address, ctx).catch(busyOr);
    if (account === 'busy') putOff(tunnel, ctx);
    else if (account === undefined) await refuse(tunnel, ctx, readings[0]?.user ?? '', sinceMs);
    else if (account.disabled) turnAway(tunnel, ctx, account);
    else {
      admit(client, ctx, account);
      remember(client.address, account.name, ctx);
      if (options.rememberClients) tell(ctx, { address: client.address, user: account.name });
      say(ctx, options.logNames ? `✅ ${account.name} is here, from ${client.address}` : '✅ a user is here');
    }
  },

  /** Who guesses, or is remembered, may come to another worker the next time. */
  workerMessage(message, ctx) {
    const told = message as Told;
    if ('failedFrom' in told) countFailure(networkOf(told.failedFrom), ctx.state.failures);
    else remember(told.address, told.user, ctx);
  },

  /** Tunnels live long: whoever is no user any more gets nothing more out of one that is looked into. */
  requestHeaders(flow, ctx) {
    const { state } = ctx;
    if (!state.admitted.has(flow.client)) return;
    const account = state.accounts.byName.get(flow.client.user ?? '');
    if (account === undefined || account.disabled) flow.respond({ status: 403, body: TURNED_AWAY });
  },
});

type Told = { readonly failedFrom: string } | { readonly address: string; readonly user: string };

function tell({ worker }: AuthContext, told: Told): void {
  worker.tell(told);
}

const ANONYMOUS = 'anonymous';

/** At a start, the first so many users are named. */
const MAX_GREETED = 50;

function greet({ options, paths, state, log }: AuthContext): void {
  const files = accountFiles(options, paths);
  const accounts = [...state.accounts.byName.values()];
  for (const [file, some] of [
    [files.passwords, accounts.filter(({ source }) => source !== 'htpasswd')],
    [files.htpasswd, accounts.filter(({ source }) => source === 'htpasswd')],
  ] as const) {
    if (file === undefined || some.length === 0) continue;
    const names = [...some.slice(0, MAX_GREETED).map(({ name }) => name), ...(some.length > MAX_GREETED ? ['…'] : [])];
    log.info(
      `👥 users: ${options.logNames ? names.join(', ') : some.length}; their passwords are in ${describePath(file)}`,
    );
  }
  if (accounts.length === 0)
    log.info('👥 users: nobody yet: name them in options.auth.users, or use insight-dump users add');
  if (!options.required) log.warn('whoever sends no credentials passes as "anonymous"');
  if (options.rememberClients)
    log.warn('whoever sends no credentials passes as the last user from that address, also where many share one (NAT)');
}

/**
 * A client that sends no credentials: some send them only when they are asked, some forget them at times. It may be
 * somebody else than who was disabled at that address, so it is asked then.
 */
function admitUnnamed(tunnel: Tunnel, ctx: AuthContext): void {
  const { client } = tunnel;
  const account = ctx.state.accounts.byName.get(recall(client.address, ctx) ?? '');
  if (account?.disabled === false) {
    admit(client, ctx, account);
    const name = ctx.options.logNames
      ? `${account.name} is taken to be at ${client.address}, which`
      : 'a user is here, who';
    say(ctx, `✅ ${name} sent no credentials`);
  } else if (ctx.options.required) {
    say(ctx, `🔑 ${client.address} was asked for credentials`);
    ask(tunnel);
  } else client.user = ANONYMOUS;
}

function admit(client: Client, { state }: AuthContext, { name, groups }: Account): void {
  client.user = name;
  client.groups = groups;
  state.admitted.add(client);
}

async function refuse(tunnel: Tunnel, ctx: AuthContext, name: string, sinceMs: number): Promise<void> {
  const { address } = tunnel.client;
  tell(ctx, { failedFrom: address });
  const wasHeld = await slowDown(address, sinceMs, ctx);
  const whose = name === '' || !ctx.options.logNames ? '' : ` for ${printable(name)}`;
  say(ctx, `🔒 ${address} sent wrong credentials${whose}`);
  if (wasHeld) ask(tunnel);
  else tunnel.deny(429, { headers: { 'Retry-After': '60' }, body: 'insight-dump: too many wrong passwords.\n' });
}

function busyOr(error: unknown): 'busy' {
  if (error instanceof TooManyChecks) return 'busy';
  throw error;
}

function putOff(tunnel: Tunnel, ctx: AuthContext): void {
  say(ctx, '⏳ more passwords are tried than can be checked');
  tunnel.deny(503, { headers: { 'Retry-After': '5' }, body: 'insight-dump: too many passwords are being checked.\n' });
}

function turnAway(tunnel: Tunnel, ctx: AuthContext, { name }: Account): void {
  const who = ctx.options.logNames ? name : 'a user';
  say(ctx, `⛔ ${who} is disabled, and was turned away at ${tunnel.client.address}`);
  tunnel.deny(403, { body: TURNED_AWAY });
}

const TURNED_AWAY = 'insight-dump: this user may not use the proxy (any more); your administrator knows why.\n';

function ask(tunnel: Tunnel): void {
  tunnel.deny(407, {
    headers: { 'Proxy-Authenticate': 'Basic realm="insight-dump"' },
    body: 'insight-dump: a user name and password for this proxy are needed; your administrator has them.\n',
  });
}
