/**
 * The one file an addon author reads: what an addon is, what its hooks get, and what they may do.
 *
 * An addon is an object whose methods are hooks:
 *
 * ```ts
 * import { defineAddon } from 'insight-dump';
 *
 * export default defineAddon({
 *   responseHeaders(flow) {
 *     flow.response.headers.set('x-user', flow.client.user ?? 'anonymous');
 *   },
 * });
 * ```
 *
 * A script may export one addon or an array of them by default, or simply export functions named as hooks. Run it with
 * `insight-dump -s my-addon.ts`; it is live again each time you save it.
 *
 * @module
 */

// ---------------------------------------------------------------------------------------------------------------- hooks

/**
 * The hooks an addon can have. All may be sync or async. They run in the order of the chain, one after another; a hook
 * that throws is logged with its addon, name and line, and the next addon still runs. A hook call that takes longer
 * than the hook time limit (10 s by default) is cut: the flow goes on without it.
 */
export interface Hooks<Options = unknown, State = unknown> {
  /**
   * Once, before anything else of this instance. Check what you need; open nothing that an old instance of this addon
   * may still hold. A throw keeps the old instance in place (at start-up: nothing starts).
   */
  load?(ctx: Context<Options, State>): unknown;

  /**
   * After `load`, and whenever options change; `changed` holds the names of the changed options (all of them the first
   * time). A throw refuses the change: the old options stay.
   */
  configure?(ctx: Context<Options, State>, changed: ReadonlySet<string>): unknown;

  /** The proxy listens and this instance is live. Open ports and timers here, bound to `ctx.signal`. */
  running?(ctx: Context<Options, State>): unknown;

  /** This instance is replaced, removed, or the proxy stops. Awaited, with a time limit: flush and close. */
  done?(ctx: Context<Options, State>): unknown;

  /** A client has opened a TCP connection; nothing has been read from it. `client.close()` turns it away. */
  clientConnected?(client: ClientConnection, ctx: Context<Options, State>): unknown;

  /** That connection is closed, by whomever. */
  clientDisconnected?(client: ClientConnection, ctx: Context<Options, State>): unknown;

  /**
   * A client asks for a host: with CONNECT, or with a plain `http://` request. Nothing has been sent upstream. Say who
   * the user is (`tunnel.client.user`), and whether to look inside, to pass it on blindly, or to deny it.
   */
  connect?(tunnel: Tunnel, ctx: Context<Options, State>): unknown;

  /** A client broke off the TLS handshake in an intercepted tunnel, mostly because it does not trust our CA. */
  tlsFailed?(tunnel: Tunnel, error: TlsFailure, ctx: Context<Options, State>): unknown;

  /**
   * The request head is here, its body is not. Edit the head; `flow.respond()` to answer without the upstream;
   * `flow.request.buffer()` or `.transform()` to change the body; `flow.kill()`.
   */
  requestHeaders?(flow: Flow, ctx: Context<Options, State>): unknown;

  /**
   * The request body is complete: before the upstream sees it if it was buffered (then it can be edited), after it was
   * streamed otherwise. An upstream that answers early can make this run after `responseHeaders`.
   */
  request?(flow: Flow, ctx: Context<Options, State>): unknown;

  /** The response head is here. Edit it; `flow.response.buffer()` or `.transform()` to change the body. */
  responseHeaders?(flow: AnsweredFlow, ctx: Context<Options, State>): unknown;

  /** The response body is complete: editable if it was buffered, already with the client otherwise. */
  response?(flow: AnsweredFlow, ctx: Context<Options, State>): unknown;

  /** The exchange failed or was cut; `flow.error` says how and by whom. A flow gets either `response` or `error`. */
  error?(flow: FailedFlow, ctx: Context<Options, State>): unknown;

  /**
   * A use of Copilot is over, decoded: after `response` or `error` of its flow, also if there never was an answer; on a
   * WebSocket, after each answer. The client has it all by then, and waits for nothing here.
   */
  exchange?(exchange: CopilotExchange, flow: Flow, ctx: Context<Options, State>): unknown;

  /**
   * A client has sent telemetry, and the server has taken it. Their hosts are not looked into by default. Say here what
   * may be kept of it, and whose it is.
   */
  telemetry?(batch: TelemetryBatch, flow: Flow, ctx: Context<Options, State>): unknown;

  /** What became of suggestions, as a client's telemetry tells it: after `telemetry`, once for each language in it. */
  acceptance?(acceptance: Acceptance, flow: Flow, ctx: Context<Options, State>): unknown;

  /** A WebSocket has opened: after the `response` of its flow, whose status is 101. */
  websocketStart?(flow: AnsweredFlow, ctx: Context<Options, State>): unknown;

  /** A whole message has come, from either end, and has not been passed on: edit its content, or drop it. */
  websocketMessage?(flow: AnsweredFlow, message: WebSocketMessage, ctx: Context<Options, State>): unknown;

  /** The WebSocket has closed; `close` says how. */
  websocketEnd?(flow: AnsweredFlow, close: WebSocketClose, ctx: Context<Options, State>): unknown;

  /** This addon has told something in another worker, by `ctx.worker.tell()`: what it told, as JSON has it. */
  workerMessage?(message: unknown, ctx: Context<Options, State>): unknown;
}

/** A hook's name. */
export type HookName = keyof Hooks;

/** An addon: hooks, and what the host should know about them. */
export interface Addon<Schema extends OptionsSchema = OptionsSchema, State = unknown>
  extends Hooks<OptionsOf<Schema>, State> {
  /** Unique among the loaded addons; the script's file name when left out. Options are set by this name. */
  name?: string;
  /** What can be configured, usually a `z.object({...})` of zod with a default for each key. */
  options?: Schema;
  /** The first value of `ctx.state`. It survives reloads; keys that a new version adds get their first value then. */
  state?(): State;
  /**
   * Say `true` when your `connect` hook decides who may use the proxy. Without such an addon the proxy listens on
   * loopback addresses only. When that hook fails or takes too long, nobody gets in by it.
   */
  authenticates?: boolean;
  /**
   * Says which WebSockets the WebSocket hooks are for, by their path, when they are asked for; all of them without it.
   * One that no addon wants to read passes byte by byte. Where another addon does, your hooks are called as well.
   */
  readsWebSocket?(path: string, ctx: Context<OptionsOf<Schema>, State>): boolean;
  /**
   * Commands for the command line: `insight-dump users add alice` runs the command `users` of the first addon in the
   * config that has one, with `['add', 'alice']`. No hook is called for it, and a proxy that runs is not told: what a
   * command is to change there goes by files.
   */
  commands?: Readonly<Record<string, Command<OptionsOf<Schema>>>>;
}

/**
 * A command of an addon. What it returns is printed as it stands. What it throws is said in one line, with exit code 1;
 * with 2, for wrong usage, if it comes from `ctx.usage()` or from Node's `util.parseArgs`.
 */
export type Command<Options = unknown> = (
  args: readonly string[],
  ctx: CommandContext<Options>,
) => string | Promise<string>;

/** What a command gets. */
export interface CommandContext<Options = unknown> {
  /** The addon's options, by config and flags. */
  readonly options: Options;
  readonly paths: Paths;
  /** Where the proxy listens by config and flags. */
  readonly listen: { readonly host: string; readonly port: number };
  /** Makes an error that says how the command is used. */
  usage(message: string): Error;
}

/** Any schema object with zod's `safeParse`. `shape`, where there is one, names the options that exist. */
export interface OptionsSchema {
  safeParse(
    value: unknown,
  ):
    | { success: true; data: unknown }
    | { success: false; error: { issues: readonly { path: readonly PropertyKey[]; message: string }[] } };
  readonly shape?: Readonly<Record<string, unknown>>;
}

/** The options that a schema yields. */
export type OptionsOf<Schema extends OptionsSchema> = Extract<
  ReturnType<Schema['safeParse']>,
  { success: true }
>['data'];

/** What each hook gets as its last argument. */
export interface Context<Options = unknown, State = unknown> {
  /** The addon's name. */
  readonly name: string;
  /** The options now in force. Read them when you need them: they can change. */
  readonly options: Options;
  /** Console and log file. */
  readonly log: Log;
  /** Aborted when this instance ends. Bind timers, listeners and requests to it. */
  readonly signal: AbortSignal;
  /** Yours; survives reloads of this addon, but not a restart of the proxy. */
  readonly state: State;
  readonly paths: Paths;
  readonly worker: Worker;
}

/**
 * Which process this is, of those that share the port: the first and only one, unless `--workers` says otherwise. A
 * client's connection belongs to one worker, with all that comes on it; the next may come to another.
 */
export interface Worker {
  /** From 1 on. A worker that has died is replaced by one with its number. */
  readonly number: number;
  readonly count: number;
  /**
   * Tells something to this addon in the other workers, which get it as `workerMessage`: what JSON can hold. Nothing
   * waits for it. What one worker tells comes in its order; a worker that is not there yet is not told.
   */
  tell(message: unknown): void;
}

/** Folders, absolute. */
export interface Paths {
  /** For records and whatever else you write. */
  readonly logs: string;
  /** For secrets. */
  readonly confdir: string;
  /** Where the config file lies: relative paths in options count from there. */
  readonly config: string;
}

/** One line on the console, one JSON object in the log file. `detail` goes to the file; an Error's stack does too. */
export interface Log {
  debug(message: string, detail?: unknown): void;
  info(message: string, detail?: unknown): void;
  warn(message: string, detail?: unknown): void;
  error(message: string, detail?: unknown): void;
}

// ----------------------------------------------------------------------------------------------------------- connecting

/** The IDE's end: a TCP connection, and who is on it. */
export interface Client {
  /** The TCP connection's id. */
  readonly id: string;
  /** IP address. */
  readonly address: string;
  readonly port: number;
  /** Set by the addon that authenticates. */
  user: string | undefined;
  /**
   * What the user is called by lines on the log and by what is kept for a while, such as budgets, where the user is not
   * to be known; such lines leave out the address then. Set in `connect`, behind the addon that authenticates.
   */
  alias?: string | undefined;
  /** The groups (teams, departments) that the user is in, as when the tunnel was opened. Set beside `user`. */
  groups: readonly string[];
}

/** A client's TCP connection as such. Who the user is shows later, in `connect`. */
export interface ClientConnection extends Client {
  /** Close it. In `clientConnected`, nothing is ever read from it. */
  close(): void;
}

/** Why a client broke off a TLS handshake. */
export interface TlsFailure {
  /** In short: `cert-rejected`, `no-shared-cipher`, `closed`, `reset`, `handshake-timeout`, or `unknown`. */
  readonly cause: string;
  /** For people: who refused which certificate, and what to do. */
  readonly message: string;
}

/** A client's wish to reach a host. */
export interface Tunnel {
  /** `connect` for a CONNECT tunnel, `http` for a plain `http://` request, which is asked for one by one. */
  readonly kind: 'connect' | 'http';
  readonly client: Client;
  /** As the client wrote it, in lower case and without brackets or a trailing dot. */
  readonly host: string;
  readonly port: number;
  /** The headers of the CONNECT or request, without `Proxy-Authorization`. */
  readonly headers: HeaderList;
  /** The value of `Proxy-Authorization`. The only place where it can be read; never log it. */
  readonly proxyAuthorization: string | undefined;
  /**
   * What happens after the hook; `intercept` or `passthrough` by the configured hosts before any addon spoke. Unless one
   * does, the server name can still change it.
   */
  readonly decision: 'intercept' | 'passthrough' | 'deny';
  /** The name that the TLS in it asks for (SNI), in the same form as `host`. Not known in `connect` yet. */
  readonly serverName: string | undefined;
  /** Look inside, whatever the configured hosts say: flows of this tunnel reach the other hooks. */
  intercept(): void;
  /** Relay blindly, whatever the configured hosts say: no other hook sees it. */
  passthrough(): void;
  /** Refuse. Final: a later `intercept()` or `passthrough()` does not undo it. */
  deny(status: number, answer?: Omit<Answer, 'status'>): void;
}

// ---------------------------------------------------------------------------------------------------------------- flows

/** One request and what became of it. */
export interface Flow {
  readonly id: string;
  readonly client: Client;
  readonly request: Request;
  /** There from `responseHeaders` on. */
  readonly response: Response | undefined;
  /** There in `error`. */
  readonly error: FlowError | undefined;
  readonly timings: Timings;
  /** Notes of addons for later hooks and other addons; add keys by declaring `FlowMetadata` again. */
  readonly metadata: FlowMetadata;
  /**
   * Answer yourself. In `requestHeaders`, or in `request` if the request was buffered, the upstream is not contacted;
   * in `responseHeaders`, or in `response` if it was buffered, the upstream's answer is replaced.
   *
   * @throws when an answer is already on its way to the client
   */
  respond(answer: Answer): void;
  /** Cut the client off without an answer. */
  kill(): void;
}

/** A flow whose response head is here. */
export type AnsweredFlow = Flow & { readonly response: Response };

/** A flow that failed. */
export type FailedFlow = Flow & { readonly error: FlowError };

/** Notes on a flow, typed by key. Add your own: `declare module 'insight-dump' { interface FlowMetadata { mine?: number } }` */
export interface FlowMetadata {
  /** Why this is no use of Copilot to be counted; unset if it may be one. Later, ask and say so by `exchange.count()`. */
  uncounted?: string;
}

/** An answer made by an addon. `content-length` is set for you; a string body is sent as UTF-8. */
export interface Answer {
  status: number;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
}

/** How an exchange ended early. */
export interface FlowError {
  /** Who ended it. A client that hangs up after the last word it needs is normal. */
  readonly by: 'client' | 'upstream' | 'addon' | 'proxy';
  /** A short code, such as `ECONNREFUSED` or `CLIENT_CLOSED`. */
  readonly code: string;
  readonly message: string;
}

/** Milliseconds since the epoch, with fractions; undefined where it has not come to that. */
export interface Timings {
  /** The request head was here. */
  readonly start: number;
  /** The request body had been received. */
  readonly requestEnd?: number;
  /** The response head was here. */
  readonly responseStart?: number;
  /** The first byte of the response body was here. */
  readonly firstByte?: number;
  /** The exchange ended, well or not. */
  readonly end?: number;
}

/** What requests and responses share. Bodies stream through by default. */
export interface Message {
  readonly httpVersion: '1.0' | '1.1' | '2.0';
  readonly headers: HeaderList;
  readonly body: Body;
  /**
   * Hold the whole body back until your next hook has run, so that it can be edited with `body.set()`. For requests in
   * `requestHeaders`, for responses in `responseHeaders`.
   */
  buffer(): void;
  /**
   * Pass each chunk through `fn` on its way. Called with the bytes as on the wire (compressed, if they are) at
   * boundaries that mean nothing, and once more with an empty chunk and `last` true.
   */
  transform(fn: ChunkTransform): void;
}

/** Returns what to send instead of the chunk: nothing, one piece, or several. */
export type ChunkTransform = (chunk: Uint8Array, last: boolean) => ChunkTransformResult | Promise<ChunkTransformResult>;
export type ChunkTransformResult = undefined | string | Uint8Array | readonly (string | Uint8Array)[];

export interface Request extends Message {
  method: string;
  /** Absolute. Setting it before the upstream is contacted sends the request elsewhere, `Host` included. */
  url: string;
  readonly scheme: 'http' | 'https';
  /**
   * In a tunnel with TLS, the server name that it asks for. The connection goes to the host that the client asked for,
   * whatever that name; unless you set another `url`.
   */
  readonly host: string;
  readonly port: number;
  /** Path and query. */
  path: string;
}

export interface Response extends Message {
  status: number;
  statusText: string;
}

/**
 * A message's body, as far as it has come. It is a bounded copy (8 MiB by default), kept while an addon with a
 * `request`, `response` or `error` hook is loaded; buffered bodies are always here.
 */
export interface Body {
  /** Bytes on the wire so far, also those that were not kept. */
  readonly size: number;
  /** True when there was more than the copy can hold, or than it may decode to. */
  readonly truncated: boolean;
  /** Content, decoded from gzip, deflate, br and zstd; what can be decoded of it, if it is cut. */
  bytes(): Uint8Array;
  /** Content as UTF-8. */
  text(): string;
  /** Content as JSON. @throws SyntaxError */
  json(): unknown;
  /** Replace a buffered body. `content-length` is set and `content-encoding` removed for you. */
  set(content: string | Uint8Array): void;
}

/** A message on a WebSocket (RFC 6455). It is here as a whole, uncompressed, whatever frames it came in. */
export interface WebSocketMessage {
  readonly from: 'client' | 'server';
  /** Text, or binary. */
  readonly isText: boolean;
  /** What is passed on; text as UTF-8. Assign to change it. */
  content: Uint8Array;
  /** `content` as text. Assign to change it. */
  text: string;
  /** Do not pass it on. */
  drop(): void;
}

/** How a WebSocket was closed. */
export interface WebSocketClose {
  /**
   * Who closed it, or broke off. The proxy does for a message over 32 MiB (1009), for frames that cannot be taken (1002,
   * 1007, 1008), when a required addon fails (1011), when an addon kills the flow (1006), and when it stops (1001).
   */
  readonly by: 'client' | 'server' | 'proxy';
  /** RFC 6455, section 7.4: 1000 is normal, 1006 stands for a connection that broke off. */
  readonly code: number;
  readonly reason: string;
}

/** Headers, in order, with duplicates. Names are compared without case, and kept as they were written. */
export interface HeaderList extends Iterable<readonly [name: string, value: string]> {
  /** The value; several are joined by `, ` (RFC 9110, section 5.3). */
  get(name: string): string | undefined;
  /** Each value, in order. */
  getAll(name: string): string[];
  has(name: string): boolean;
  /** Replace all of that name by one, in the place of the first. */
  set(name: string, value: string): void;
  /** Add one at the end, keeping others of that name. */
  append(name: string, value: string): void;
  delete(name: string): boolean;
}

// -------------------------------------------------------------------------------------------------------------- Copilot

/**
 * One use of Copilot: what was asked and answered, whichever of its endpoints it came by, and what it counts as. It is
 * decoded while it streams, once, for all addons.
 */
export interface CopilotExchange {
  /** The flow's; on a WebSocket, with the number of the answer behind it. */
  readonly id: string;
  /** Whose it is, for records and counts: the client's user, until an addon says another name. */
  user: string;
  /** What the user is in. */
  readonly groups: readonly string[];
  /** Where it came from, for records: the client's IP address, until an addon says another word. */
  address: string;
  /** The machine's id, as the editor sends it, until an addon says another; undefined when it does not. */
  machine: string | undefined;
  /**
   * What may be kept of it, until an addon says otherwise: `all`; `metadata`, which is everything but what was asked and
   * answered; or `nothing`, not even in counts.
   */
  keep: 'all' | 'metadata' | 'nothing';
  readonly endpoint: CopilotEndpoint;
  /** Ghost text, or what is asked in words. */
  readonly kind: UsageKind;
  readonly transport: 'http' | 'websocket';

  /** As in `vscode-1.96.2`, `JetBrains-PC-243.1` or `copilot-1.0.2` (the CLI); `-` when the client does not say. */
  readonly editor: string;
  /** As in `copilot-chat/0.20`. */
  readonly plugin: string | undefined;
  readonly surface: 'ide' | 'cli' | 'agent' | 'unknown';
  /** Of the code that is completed, as the client names it; of a chat, the one that its code and files are in. */
  readonly language: string;
  /** The client did not say the language. */
  readonly languageInferred: boolean;
  /** The model that was asked for, and the one that answered. */
  readonly model: string | undefined;
  readonly answeredBy: string | undefined;
  /** The user's question, and all that the model and the editor do for it, have this in common. */
  readonly interaction: string | undefined;

  /** The request's JSON; its text where it is none, undefined where there was too much of it. */
  request: unknown;
  /** Each event's JSON for a stream; the JSON of any other answer, or its text where it is none. */
  response: unknown;
  /** What was asked last: the end of a prompt to complete, or the last words of the user. */
  prompt: string;
  choices: readonly Choice[];

  /** Undefined if there was no answer: the server failed before, or somebody broke off. */
  readonly status: number | undefined;
  /** `complete` as well when the client hung up after the finish reason: editors do that all the time. */
  readonly outcome: 'complete' | 'cancelled' | 'failed';
  /** What failed, if it did: the server's own code or that of the flow. */
  readonly failure: string | undefined;
  /** There was more than is kept of request or response. */
  readonly truncated: boolean;

  readonly tokens: Tokens;
  /** AI credits that the server says it charged; 1 credit is US$ 0.01. */
  readonly credits: number | undefined;
  /** What is left, by the kind of quota, as far as the server said. */
  readonly quota: Readonly<Record<string, Quota>>;

  /** Milliseconds since the epoch. */
  readonly startMs: number;
  readonly endMs: number;
  /** From the request's head to the first of the answer's text or tool calls. */
  readonly firstTokenMs: number | undefined;
  /** Of the answer, from its first token to its end. */
  readonly tokensPerSecond: number | undefined;

  readonly counted: Counted;
  /** Decides otherwise. */
  count(as: CountedAs, reason: string): void;
}

/** What was asked, by the path. */
export type CopilotEndpoint = 'completions' | 'chat' | 'responses' | 'messages' | 'agents';
export type UsageKind = 'chat' | 'completions';

/**
 * What an exchange counts as. A `turn` is a question of the user's, a `completion` is ghost text that may have been
 * shown. A `step` is what the model asks next in the same interaction, a `subagent` one on behalf of another model. In
 * the `background`, editors ask for titles, summaries and suggestions. `nothing` is left out of all sums.
 */
export type CountedAs =
  | 'turn'
  | 'step'
  | 'subagent'
  | 'background'
  | 'commitMessage'
  | 'extension'
  | 'completion'
  | 'speculative'
  | 'nextEdit'
  | 'nothing';

export interface Counted {
  readonly as: CountedAs;
  /** In a few words, for the record. */
  readonly reason: string;
}

/** One of the answers to one request; ghost text asks for several at once. */
export interface Choice {
  readonly index: number;
  /** All that was sent of it, put together. */
  readonly text: string;
  /** The server's word: `stop`, `length`, `tool_calls`, `completed`, `end_turn`, …; undefined when it was cut before. */
  readonly finishReason: string | undefined;
  readonly toolCalls: readonly ToolCall[];
}

export interface ToolCall {
  readonly name: string;
  /** JSON, as the model wrote it. */
  readonly arguments: string;
}

export interface Tokens {
  readonly prompt: number;
  readonly completion: number;
  /** Of the prompt, those that were cheaper since the server remembered them. */
  readonly cached: number;
  /** Of the completion, those that were thought and not said. */
  readonly reasoning: number;
  /** The server did not say: four characters were taken for a token. */
  readonly estimated: boolean;
}

/** One of the server's quotas, as `x-quota-snapshot-…` tells it. */
export interface Quota {
  /** -1 for no limit. */
  readonly entitlement: number;
  readonly percentRemaining: number;
  readonly overage: number;
  readonly overagePermitted: boolean;
  /** ISO 8601, in UTC. */
  readonly resetsAt: string | undefined;
}

/** Telemetry that a client has sent in one request. */
export interface TelemetryBatch {
  /** Whose it is, for records and counts: the client's user, until an addon says another name. */
  user: string;
  /** What the user is in. */
  readonly groups: readonly string[];
  /** What may be kept, until an addon says otherwise: `metadata` is names of events and numbers; `nothing` is no counts either. */
  keep: CopilotExchange['keep'];
  /** In the order in which they were sent, as the client wrote them. They can hold prompts and text of files. */
  events: readonly unknown[];
}

/** What became of suggestions of ghost text in one language. */
export interface Acceptance {
  readonly user: string;
  readonly groups: readonly string[];
  /** When it was told, in milliseconds since the epoch. */
  readonly timeMs: number;
  /** As in an exchange; mostly `-`, since what sends telemetry does not say its editor. */
  readonly editor: string;
  /** As the client names it; `unknown` when it does not. */
  readonly language: string;
  /** Suggestions. */
  readonly shown: number;
  readonly accepted: number;
  /** Those that the client says were rejected; one that is neither was typed over, or is still there. */
  readonly rejected: number;
  /** Of what was accepted. */
  readonly acceptedLines: number;
  readonly acceptedCharacters: number;
}

// ------------------------------------------------------------------------------------------------------------ the config

/** What `addons.config.ts` exports. Command-line flags beat it. Saved edits apply at once unless it says otherwise. */
export interface Config {
  /** The chain, in order: paths relative to this file. Shipped addons are found as `addons/<name>.ts` from anywhere. */
  addons?: readonly (string | AddonEntry)[];
  /** Options by addon name. */
  options?: AddonOptions;
  /** Default `127.0.0.1`. */
  listenHost?: string;
  /** Default 8080. Connections that came in by another port go on. */
  listenPort?: number;
  /** Folder for logs and records, relative to this file. Needs a restart. Default `logs`. */
  logs?: string;
  /**
   * Look into hosts that match one of these (over `host:port`, without case, names without a trailing dot). Default:
   * Copilot's API hosts. Besides the host that a client asks for, the server name in its TLS (SNI) counts, with the same
   * port: one that matches is enough. TLS to an address is looked into only if it has such a name. New tunnels go by
   * what was saved last; an addon's `connect` hook beats it.
   */
  allowHosts?: readonly (string | RegExp)[];
  /** Do not look into hosts if they, or the server name, match one of these. Default: Copilot's telemetry hosts. */
  ignoreHosts?: readonly (string | RegExp)[];
  /**
   * How long a client that has refused our certificate for a host gets blind tunnels to it, in milliseconds: for clients
   * that trust certain certificates only. Default 0.
   */
  blindAfterRefusalMs?: number;
  /** As curl's: `HOST:PORT:ADDR:PORT`; an empty HOST or PORT matches any. */
  connectTo?: readonly string[];
  /** Reach servers through another proxy: `http://user:password@host:port` or `socks5://…`. */
  upstream?: string;
  /** Hosts, with their subdomains, that are reached without it. */
  noproxy?: readonly string[];
  /** Let clients reach loopback, link-local and private addresses through the proxy. Default false. */
  allowPrivateTargets?: boolean;
  /** A PEM file of certificates to trust upstream besides Node's own. Needs a restart. */
  upstreamCa?: string;
  /** Do not verify upstream certificates. */
  sslInsecure?: boolean;
  /** What the console says of each flow: 0 nothing, 1 a line, 2 headers, 3 bodies cut at 512 lines, 4 bodies. */
  flowDetail?: 0 | 1 | 2 | 3 | 4;
  /** How long a server may be silent in the middle of an exchange, in milliseconds. Default 600,000. */
  idleTimeoutMs?: number;
  /** Time limit of a hook call, in milliseconds. Default 10,000. */
  hookTimeoutMs?: number;
  /** How long flows may go on with a replaced addon, or at shutdown, in milliseconds. Default 5,000. */
  drainMs?: number;
}

/** A script in the chain, with more to say about it. */
export interface AddonEntry {
  script: string;
  /** Refuse traffic while this addon is broken or absent, instead of going on without it. Default false. */
  required?: boolean;
  /** Default true. */
  enabled?: boolean;
}

/** Options by addon name. Addons add theirs: `declare module 'insight-dump' { interface AddonOptions { mine?: {...} } }` */
export interface AddonOptions {
  [addon: string]: unknown;
}

// ------------------------------------------------------------------------------------------------------------- functions

/** Gives an addon its types. */
export function defineAddon<Schema extends OptionsSchema, State>(addon: Addon<Schema, State>): Addon<Schema, State> {
  return addon;
}

/** Gives a config its types. */
export function defineConfig(config: Config): Config {
  return config;
}
