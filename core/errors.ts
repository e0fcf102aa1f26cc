/**
 * Every error that insight-dump raises on purpose: a code for programs, a message for people. A message says what
 * failed, the value, what was expected and what to do; it never holds a secret.
 */

/** An error whose message is meant for the person in front of the console. */
export class InsightError extends Error {
  override readonly name = 'InsightError';
  constructor(
    /** The key of {@link errors} that made it. */
    readonly code: string,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

/** The message of anything that was thrown, on one line. */
export function messageOf(thrown: unknown): string {
  try {
    const message = thrown instanceof Error ? thrown.message || thrown.name : thrown;
    return String(message).replace(/\s*\n\s*/g, ' ');
  } catch {
    // Objects may refuse to be read or to become a string.
    return `a thrown ${typeof thrown}`;
  }
}

/** The system's code for an error (`ENOENT`, `ECONNREFUSED`, …), if it has one. */
export function codeOf(thrown: unknown): string | undefined {
  const code = (thrown as { code?: unknown } | null | undefined)?.code;
  return typeof code === 'string' ? code : undefined;
}

type Text = string | [message: string, cause: unknown];

/** Turns texts into makers of errors that carry their key as the code. */
function coded<T extends Record<string, (...args: never[]) => Text>>(
  texts: T,
): { readonly [Code in keyof T]: (...args: Parameters<T[Code]>) => InsightError } {
  const makers = Object.entries(texts).map(([code, text]) => [
    code,
    (...args: never[]) => {
      const made = text(...args);
      return typeof made === 'string'
        ? new InsightError(code, made)
        : new InsightError(code, made[0], { cause: made[1] });
    },
  ]);
  return Object.fromEntries(makers);
}

export const errors = coded({
  // starting
  usage: (what: string) => what,
  portInUse: (host: string, port: number) =>
    `port ${port} on ${host} is in use: stop what listens there, or choose another with -p`,
  cannotListen: (host: string, port: number, cause: unknown) => [
    `cannot listen on ${host}:${port}: ${messageOf(cause)}`,
    cause,
  ],
  openProxy: (host: string) =>
    `${host} can be reached by others and no addon asks for passwords: add addons/auth.ts, listen on 127.0.0.1, or say --insecure-open`,
  folderUnusable: (what: string, path: string, cause: unknown) => [
    `cannot use ${path} for ${what}: ${messageOf(cause)}`,
    cause,
  ],
  caUnreadable: (path: string, cause: unknown) => [
    `cannot read the CA from ${path}: ${messageOf(cause)}; repair it, or move both files away to have a new one made`,
    cause,
  ],
  upstreamCaUnreadable: (path: string, cause: unknown) => [
    `cannot read certificates for --upstream-ca from ${path}: ${messageOf(cause)}`,
    cause,
  ],

  unknownCommand: (name: string, hint: string) => `no command "${name}" here, nor in an addon of the config${hint}`,
  commandFailed: (name: string, cause: unknown) => [`${name}: ${messageOf(cause)}`, cause],

  fileExists: (path: string) => `${path} is there already: choose another name, or move it away`,

  // configuration
  configMissing: (path: string) => `no config file at ${path}`,
  configInvalid: (path: string, problems: string) => `${path}: ${problems}`,
  connectToInvalid: (value: string) =>
    `--connect-to ${value}: expected HOST:PORT:ADDR:PORT, as curl's (IPv6 in brackets)`,
  upstreamInvalid: (value: string) =>
    `--upstream ${value}: expected http://host:port or socks5://host:port, with user:password@ if it asks for them`,
  setInvalid: (source: string, value: string) => `${source} ${value}: expected addon.option=value`,
  unknownAddon: (source: string, name: string, hint: string) => `${source}: no addon named "${name}" is loaded${hint}`,
  optionsInvalid: (addon: string, problems: readonly string[]) => `${addon}: ${problems.join('; ')}`,

  // scripts
  scriptMissing: (path: string) => `no such script: ${path}`,
  scriptTwice: (path: string) => `script listed twice: ${path}`,
  doesNotCompile: (where: string, text: string, hint: string) => `${where}: ${text}${hint}`,
  doesNotEvaluate: (path: string, cause: unknown, where: string) => [`${where || path}: ${messageOf(cause)}`, cause],
  noAddon: (path: string) => `${path} exports no addon: export default defineAddon({...}), or functions named as hooks`,
  hookNotFunction: (path: string, addon: string, hook: string, type: string) =>
    `${path}: "${hook}" of addon ${addon} is a ${type}; a hook must be a function`,
  fieldInvalid: (path: string, addon: string, field: string, expected: string) =>
    `${path}: "${field}" of addon ${addon} must be ${expected}`,
  duplicateAddon: (name: string, first: string, second: string) =>
    `two addons are named "${name}": in ${first} and in ${second}; give one another name`,
  lifecycleFailed: (addon: string, hook: string, cause: unknown, where: string) => [
    `${where}: addon ${addon} failed in ${hook}: ${messageOf(cause)}`,
    cause,
  ],
  hookTimeout: (hook: string, ms: number) =>
    `${hook} did not finish within ${ms} ms: does it await something that never comes?`,

  // flows
  tooLateToRespond: () =>
    'flow.respond() is too late: the answer is already on its way; use an earlier hook, or buffer()',
  tooLateToBuffer: (message: string, hook: string) =>
    `flow.${message}.buffer() and .transform() are too late: call them in ${hook}`,
  notBuffered: (message: string, hook: string) =>
    `flow.${message}.body cannot be set: call flow.${message}.buffer() in ${hook} first`,
  bodyTooLarge: (message: string, limitBytes: number) =>
    `the ${message} body is larger than the ${limitBytes} bytes that may be buffered`,
  requiredAddonFailed: (addon: string) => `required addon ${addon} failed`,

  // upstream
  privateTarget: (host: string) =>
    `${host} is a loopback, link-local or private address; allowPrivateTargets in the config lets clients reach those`,
  parentProxyRefused: (proxy: string, answer: string) =>
    `the upstream proxy ${proxy} did not open the connection: ${answer}`,
  connectTimeout: (host: string, port: number, ms: number) =>
    `${host}:${port} did not accept a connection within ${ms} ms`,
  answerHeadTooLarge: (limitBytes: number) =>
    `the head of the answer is larger than the ${limitBytes} bytes that the proxy takes`,
  enhanceYourCalm: (limitBytes: number) =>
    `the stream ended with ENHANCE_YOUR_CALM: the head of the answer is larger than the ${limitBytes} bytes that the proxy takes, or the server wants fewer requests`,
  serverRefuses: (connections: number) =>
    `the server takes no requests (REFUSED_STREAM): it has refused the last one on each of ${connections} connections`,
  serverVanished: (ms: number) => `the server has answered no ping within ${ms} ms`,
});
