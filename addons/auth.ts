/**
 * Decides who may use the proxy: Basic proxy authentication (RFC 7617) against a list of users. Each gets a password,
 * derived from a secret, in `logs/user_auth.json`; edit one there and it counts within a second.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { chmod, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Context, defineAddon, type Tunnel, writeWholeFile } from 'insight-dump';
import { z } from 'zod';

const user = z
  .string()
  .min(1)
  .refine((name) => !name.includes(':'), 'a user name cannot hold a colon: Basic authentication ends it there');

const options = z.object({
  users: z.array(user).default([]).describe('who may use the proxy'),
  required: z.boolean().default(true).describe('false: who sends no credentials passes as "anonymous"'),
  secret: z
    .string()
    .min(16)
    .optional()
    .describe('what passwords are derived from; made once and kept beside the CA when it is not given'),
});

declare module 'insight-dump' {
  interface AddonOptions {
    auth?: z.input<typeof options>;
  }
}

interface State {
  passwords: ReadonlyMap<string, string>;
  /** Of the password file, when it was read last. */
  modifiedMs: number;
  checkedMs: number;
  /** When something was last said about a key, so that it is not said for each of an editor's many connections. */
  said: Map<string, number>;
  /** Wrong credentials by client address. */
  failures: Map<string, { count: number; lastMs: number }>;
}

type AuthContext = Context<z.infer<typeof options>, State>;

export default defineAddon({
  name: 'auth',
  options,
  authenticates: true,
  state: (): State => ({
    passwords: new Map(),
    modifiedMs: 0,
    checkedMs: 0,
    said: new Map(),
    failures: new Map(),
  }),

  async configure(ctx) {
    await issuePasswords(ctx);
  },

  running(ctx) {
    const { users, required } = ctx.options;
    const names = users.length > 0 ? users.join(', ') : 'nobody yet: name them in options.auth.users';
    ctx.log.info(`👥 users: ${names}; their passwords are in ${path.relative('', passwordFile(ctx))}`);
    if (!required) ctx.log.warn('whoever sends no credentials passes as "anonymous"');
  },

  async connect(tunnel, ctx) {
    const { client, proxyAuthorization } = tunnel;
    if (proxyAuthorization === undefined) {
      if (!ctx.options.required) client.user = ANONYMOUS;
      else ask(tunnel, ctx, `🔑 ${client.address} was asked for credentials`);
      return;
    }
    await rereadPasswords(ctx);
    const candidates = readBasic(proxyAuthorization);
    const known = candidates.find(({ user, password }) => isRight(ctx, user, password));
    if (known === undefined) {
      const name = candidates[0]?.user ?? '';
      await slowDown(client.address, ctx);
      ask(tunnel, ctx, `🔒 ${client.address} sent wrong credentials${name === '' ? '' : ` for ${printable(name)}`}`);
      return;
    }
    ctx.state.failures.delete(client.address);
    client.user = known.user;
    say(ctx, `✅ ${known.user} is here, from ${client.address}`);
  },
});

const ANONYMOUS = 'anonymous';

function ask(tunnel: Tunnel, ctx: AuthContext, message: string): void {
  say(ctx, message);
  tunnel.deny(407, {
    headers: { 'Proxy-Authenticate': 'Basic realm="insight-dump"' },
    body: 'insight-dump: a user name and password for this proxy are needed; your administrator has them.\n',
  });
}

// ------------------------------------------------------------------------------------------------------------ credentials

interface Credentials {
  readonly user: string;
  readonly password: string;
}

/**
 * Reads a `Proxy-Authorization: Basic`. RFC 7617 leaves the encoding open: most clients send UTF-8, Java and Python's
 * requests Latin-1; bytes that could be either are read as both. The password begins after the first colon.
 */
function readBasic(header: string): Credentials[] {
  const [, encoded] = /^basic +([A-Za-z0-9+/_-]+=*) *$/i.exec(header) ?? [];
  if (encoded === undefined) return [];
  const bytes = Buffer.from(encoded, 'base64');
  return [bytes.toString('utf8'), bytes.toString('latin1')].flatMap((text) => {
    const colon = text.indexOf(':');
    if (colon < 0) return [];
    // Typed on another system, the same name may come in other code points.
    return [{ user: text.slice(0, colon).normalize(), password: text.slice(colon + 1).normalize() }];
  });
}

const PROCESS_KEY = randomBytes(32);

/** Takes as long for a wrong user as for a wrong password, and for one that is nearly right. */
function isRight({ options, state }: AuthContext, user: string, password: string): boolean {
  const name = options.users.find((each) => each.normalize() === user);
  const expected = name === undefined ? undefined : state.passwords.get(name)?.normalize();
  const digest = (text: string) => createHmac('sha256', PROCESS_KEY).update(text).digest();
  const equal = timingSafeEqual(digest(password), digest(expected ?? ''));
  return equal && expected !== undefined && expected !== '';
}

/** So many wrong tries are free: editors try a wrong password some twenty times before they give up. */
const FREE_FAILURES = 30;
const FAILURE_WINDOW_MS = 60_000;
const FAILURE_DELAY_MS = 1_000;
const MAX_ADDRESSES = 10_000;

async function slowDown(address: string, { state, signal }: AuthContext): Promise<void> {
  const { failures } = state;
  if (failures.size >= MAX_ADDRESSES) failures.clear();
  const before = failures.get(address);
  const recent = before !== undefined && performance.now() - before.lastMs < FAILURE_WINDOW_MS;
  const count = (recent ? before.count : 0) + 1;
  failures.set(address, { count, lastMs: performance.now() });
  if (count > FREE_FAILURES) await sleep(FAILURE_DELAY_MS, undefined, { signal }).catch(() => {});
}

// -------------------------------------------------------------------------------------------------------------- passwords

function passwordFile({ paths }: AuthContext): string {
  return path.join(paths.logs, 'user_auth.json');
}

/** Sees that each user has a password in the file. Those that are there stay. */
async function issuePasswords(ctx: AuthContext): Promise<void> {
  const file = passwordFile(ctx);
  const entries = await readPasswords(file);
  const missing = ctx.options.users.filter((name) => !isPassword(entries[name]));
  if (missing.length > 0) {
    const secret = ctx.options.secret ?? (await keptSecret(ctx.paths.confdir));
    for (const name of missing) entries[name] = derivePassword(secret, name);
    await writeWholeFile(file, `${JSON.stringify(entries, null, 2)}\n`, { mode: 0o600 });
  } else if (ctx.options.users.length > 0) {
    await chmod(file, 0o600);
  }
  await takeOver(ctx, entries);
}

/** Editors send no credentials at all for an empty password, so an empty one is none. */
function isPassword(entry: unknown): entry is string {
  return typeof entry === 'string' && entry !== '';
}

function derivePassword(secret: string, name: string): string {
  return createHmac('sha256', secret).update(name).digest('hex').slice(0, PASSWORD_LENGTH);
}

const PASSWORD_LENGTH = 24;

/** @throws when the file is there but is no JSON object: it is not ours to overwrite then */
async function readPasswords(file: string): Promise<Record<string, unknown>> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
    throw error;
  }
  try {
    return { ...z.record(z.string(), z.unknown()).parse(JSON.parse(text)) };
  } catch {
    // The parser's message would quote from the file.
    throw new Error(`${path.relative('', file)} is no JSON object of {"user": "password"}; repair it or move it away`);
  }
}

async function takeOver({ state, ...ctx }: AuthContext, entries: Record<string, unknown>): Promise<void> {
  state.passwords = new Map(Object.entries(entries).filter((entry): entry is [string, string] => isPassword(entry[1])));
  const stats = await stat(path.join(ctx.paths.logs, 'user_auth.json')).catch(() => undefined);
  state.modifiedMs = stats?.mtimeMs ?? 0;
  state.checkedMs = performance.now();
}

const REREAD_AFTER_MS = 1_000;

/** Takes over what an administrator has changed in the file. */
async function rereadPasswords(ctx: AuthContext): Promise<void> {
  const { state } = ctx;
  if (performance.now() - state.checkedMs < REREAD_AFTER_MS) return;
  state.checkedMs = performance.now();
  try {
    const { mtimeMs } = await stat(passwordFile(ctx));
    if (mtimeMs === state.modifiedMs) return;
    await takeOver(ctx, await readPasswords(passwordFile(ctx)));
    ctx.log.info(`🔑 ${path.relative('', passwordFile(ctx))} has been read again`);
  } catch (error) {
    if (!said(ctx, 'unreadable'))
      ctx.log.warn(`${(error as Error).message}; the passwords read before still count`, error);
  }
}

/** The secret beside the CA, made when it is first needed. */
async function keptSecret(confdir: string): Promise<string> {
  const file = path.join(confdir, 'auth.secret');
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    const secret = randomBytes(32).toString('hex');
    await writeWholeFile(file, `${secret}\n`, { mode: 0o600 });
    return secret;
  }
}

// ---------------------------------------------------------------------------------------------------------------- saying

const SAY_AGAIN_AFTER_MS = 60 * 60 * 1000;
const MAX_SAID = 10_000;

/** Says it once an hour; to the debug log otherwise. */
function say(ctx: AuthContext, message: string): void {
  if (said(ctx, message)) ctx.log.debug(message);
  else ctx.log.info(message);
}

function said({ state }: AuthContext, key: string): boolean {
  if (state.said.size >= MAX_SAID) state.said.clear();
  const recently = performance.now() - (state.said.get(key) ?? Number.NEGATIVE_INFINITY) < SAY_AGAIN_AFTER_MS;
  if (!recently) state.said.set(key, performance.now());
  return recently;
}

/** A name as the client sent it: it must not speak to the terminal. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, '·').slice(0, 64);
}
