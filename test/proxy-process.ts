/** Runs the built CLI as a user would, in a folder of its own that is gone afterwards. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CopilotExchange } from '../core/addon.ts';
import type { Authority } from './certificates.ts';
import type { FakeCopilot } from './fake-copilot.ts';

export const ROOT = path.resolve(import.meta.dirname, '..');
const CLI = path.join(ROOT, 'dist/cli.js');

/** A temp folder, unless one is given; `files` are written into it. */
export function makeFolder(
  files: Readonly<Record<string, string>> = {},
  folder = mkdtempSync(path.join(os.tmpdir(), 'insight-dump-test-')),
): string {
  for (const [name, text] of Object.entries(files)) writeInto(path.join(folder, name), text);
  return folder;
}

function writeInto(file: string, text: string): void {
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** Waits until something is so. Fails after `limitMs`, saying what it waited for. */
export async function eventually<T>(
  what: string | (() => string),
  look: () => T | Promise<T>,
  limitMs = 10_000,
): Promise<NonNullable<Exclude<T, false>>> {
  const end = Date.now() + limitMs;
  for (;;) {
    const seen = await look();
    if (seen) return seen as NonNullable<Exclude<T, false>>;
    if (Date.now() > end) throw new Error(`waited ${limitMs} ms in vain: ${typeof what === 'string' ? what : what()}`);
    await sleep(10);
  }
}

export interface ProxyOptions {
  readonly args?: readonly string[];
  /** Written to `addons.config.ts`; without it, the shipped config counts. */
  readonly config?: string;
  readonly files?: Readonly<Record<string, string>>;
  /** All hosts lead there, and its CA is trusted. */
  readonly upstream?: FakeCopilot;
  readonly env?: NodeJS.ProcessEnv;
  /** How many files the process may have open. */
  readonly openFiles?: number;
  /** How large a file may become that the process writes, in units of 512 bytes. */
  readonly fileBlocks?: number;
  /** Listen where the config says, not on a port that is free. */
  readonly listenByConfig?: boolean;
  /** What it reads on standard input, which has an end. */
  readonly input?: string;
  /** Run in the folder that an earlier one left, instead of a new one. */
  readonly folder?: string;
  /** It has no CA yet, and makes one, which takes longer than all the rest of a start may. */
  readonly isFirst?: boolean;
}

/** A CLI that was started; it may have ended by itself. */
export class CliProcess {
  readonly folder: string;
  readonly #process: ChildProcess;
  /** Standard output and standard error, as they came. */
  output = '';
  readonly ended: Promise<number | null>;

  constructor({
    args = [],
    config,
    files = {},
    upstream,
    env,
    folder,
    listenByConfig = false,
    openFiles,
    fileBlocks,
    input,
  }: ProxyOptions) {
    const all = { ...files, ...(config !== undefined && { 'addons.config.ts': config }) };
    this.folder = makeFolder(upstream === undefined ? all : { ...all, 'upstream-ca.pem': upstream.ca }, folder);
    const toFake =
      upstream === undefined
        ? []
        : [
            ...['--connect-to', `:443:127.0.0.1:${upstream.port}`],
            ...['--connect-to', `:80:127.0.0.1:${upstream.plainPort}`],
            ...['--upstream-ca', path.join(this.folder, 'upstream-ca.pem')],
          ];
    const own = [...(listenByConfig ? [] : ['-p', '0']), '--confdir', path.join(this.folder, 'conf')];
    const limits = [
      ...(openFiles === undefined ? [] : [`ulimit -n ${openFiles}`]),
      ...(fileBlocks === undefined ? [] : [`ulimit -f ${fileBlocks}`]),
    ];
    const limited = limits.length === 0 ? [] : ['sh', '-c', [...limits, 'exec "$0" "$@"'].join(' && ')];
    const [command, ...rest] = [...limited, process.execPath, CLI, ...own, ...toFake, ...args] as [string];
    this.#process = spawn(command, rest, {
      cwd: this.folder,
      env: { ...process.env, NO_COLOR: '1', ...env },
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
    });
    this.#process.stdin?.on('error', () => {}).end(input);
    for (const stream of [this.#process.stdout, this.#process.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.output += text;
      });
    }
    this.ended = once(this.#process, 'close').then(([code]) => code as number | null);
  }

  get pid(): number {
    return this.#process.pid as number;
  }

  path(...parts: readonly string[]): string {
    return path.join(this.folder, ...parts);
  }

  read(...parts: readonly string[]): string {
    return readFileSync(this.path(...parts), 'utf8');
  }

  write(file: string, text: string): void {
    writeInto(this.path(file), text);
  }

  remove(file: string): void {
    rmSync(this.path(file));
  }

  /** Waits for output that matches, from `since` on. */
  said(pattern: RegExp, since = 0, limitMs = 10_000): Promise<RegExpExecArray> {
    return eventually(
      () => `${pattern} in\n${this.output.slice(since)}`,
      () => pattern.exec(this.output.slice(since)) ?? undefined,
      limitMs,
    );
  }

  kill(signal: NodeJS.Signals = 'SIGTERM'): void {
    this.#process.kill(signal);
  }

  /** Stops it, if it still runs, and removes its folder unless it is to be kept. Resolves with its exit code. */
  async stop({ keep = false } = {}): Promise<number | null> {
    this.kill();
    const code = await Promise.race([this.ended, sleep(20_000, undefined, { ref: false }).then(() => 'late' as const)]);
    if (code === 'late') this.kill('SIGKILL');
    if (!keep) rmSync(this.folder, { recursive: true, force: true });
    if (code === 'late') throw new Error(`it did not stop:\n${this.output}`);
    return code;
  }
}

/** It takes less than a second, unless the machine has much else to do. */
const START_LIMIT_MS = 60_000;

const CA_FILE = 'conf/ca.pem';

let authority: Promise<Authority> | undefined;

/** A CA as a proxy has it that has been started before; the same for all that this process starts. */
async function caFiles(): Promise<Record<string, string>> {
  // Many tests that start no proxy take something of this file: they do without what makes certificates.
  authority ??= import('./certificates.ts').then(({ makeAuthority }) => makeAuthority('insight-dump'));
  const { key, cert } = await authority;
  return { [CA_FILE]: cert, 'conf/ca.key': key };
}

/** A CLI that listens. */
export class ProxyProcess extends CliProcess {
  port = 0;

  static async start({ isFirst = false, files = {}, ...options }: ProxyOptions = {}): Promise<ProxyProcess> {
    const hasCa = options.folder !== undefined && existsSync(path.join(options.folder, CA_FILE));
    const ca = isFirst || hasCa ? {} : await caFiles();
    const proxy = new ProxyProcess({ ...options, files: { ...files, ...ca } });
    let ending: Error | undefined;
    void proxy.ended.then((code) => {
      ending = new Error(`it ended with ${code}:\n${proxy.output}`);
    });
    const listening = () => {
      const said = /on http:\/\/\S+:(\d+) with/.exec(proxy.output);
      if (said === null && ending !== undefined) throw ending;
      return said ?? undefined;
    };
    const [, port] = await eventually(() => `it to listen:\n${proxy.output}`, listening, START_LIMIT_MS).catch(
      async (error) => {
        await proxy.stop();
        throw error;
      },
    );
    proxy.port = Number(port);
    return proxy;
  }

  get caFile(): string {
    return this.path(CA_FILE);
  }

  get ca(): string {
    return this.read(CA_FILE);
  }

  password(user: string): string {
    return JSON.parse(this.read('logs/user_auth.json'))[user];
  }

  /** With a user's name and password in it; without them for nobody. */
  url(user?: string): string {
    const login = user === undefined ? '' : `${encodeURIComponent(user)}:${encodeURIComponent(this.password(user))}@`;
    return `http://${login}127.0.0.1:${this.port}`;
  }

  /** All records so far, by path below `logs/usage`. */
  records(): Map<string, UsageRecord> {
    const folder = this.path('logs/usage');
    if (!existsSync(folder)) return new Map();
    const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.json'));
    return new Map(files.sort().map((file) => [file, JSON.parse(readFileSync(path.join(folder, file), 'utf8'))]));
  }

  /** Waits for so many records. */
  async recorded(count: number): Promise<UsageRecord[]> {
    await eventually(
      () => `${count} records; there are ${this.records().size}:\n${this.output}`,
      () => this.records().size >= count,
    );
    return [...this.records().values()];
  }

  /** The metrics file as it is now. */
  metricsNow(): MetricsDay | undefined {
    const folder = this.path('logs/metrics');
    const [file] = existsSync(folder) ? readdirSync(folder).filter((name) => name.endsWith('.json')) : [];
    return file === undefined ? undefined : JSON.parse(readFileSync(path.join(folder, file), 'utf8'));
  }

  /** The metrics file, once it satisfies `is`. */
  metrics(is: (day: MetricsDay) => boolean): Promise<MetricsDay> {
    return eventually(
      () => `the metrics; they are ${JSON.stringify(this.metricsNow())}`,
      () => {
        const day = this.metricsNow();
        return day !== undefined && is(day) ? day : undefined;
      },
    );
  }
}

export interface UsageRecord {
  'proxy-authorization': string;
  timestamp: string;
  'proxy-time-consumed': string;
  request: { url: string; method: string; headers: Record<string, string>; content: unknown };
  response: { status_code: number; headers: Record<string, string>; content: unknown };
  insight: Omit<CopilotExchange, 'keep' | 'request' | 'response' | 'count'> & { client: string; worker?: number };
}

export interface MetricsDay {
  day: string;
  total_chat_turns: number;
  total_completions_count: number;
  usage: Record<
    string,
    {
      chat_turns: number;
      completions_count: number;
      chat: Record<string, number>;
      completions: Record<string, Record<string, number>>;
      insight: MetricsSummary;
    }
  >;
  insight: { journal: number; teams: Record<string, MetricsSummary & { members: string[] }> };
}

export interface MetricsSummary {
  first_seen: string | null;
  last_seen: string | null;
  counted: Record<string, number>;
  errors: number;
  cancelled: number;
  tokens: Record<'prompt' | 'completion' | 'estimated_exchanges', number>;
}
