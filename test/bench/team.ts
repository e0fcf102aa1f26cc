import { existsSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { eventually } from '../proxy-process.ts';
import type { Child, Listening } from './child.ts';
import type { Tally } from './connection.ts';
import type { Contestant, Entrant, ServerAddress } from './contestant.ts';
import type { Told } from './probe.ts';
import { programFile, startProgram } from './programs.ts';

/** A contestant that has been started. */
export interface Member {
  readonly contestant: Contestant;
  readonly entrant: Entrant;
  readonly loopDelay: LoopDelay | undefined;
  /** How long it took until it listened. */
  readonly startMs: number;
  /** What it has answered. */
  readonly tally: Tally;
}

/** The event loop of a contestant. */
export interface LoopDelay {
  /** How late it was since the last time, 99th percentile, in ms. */
  sinceLast(): Promise<number>;
}

export interface TeamOptions {
  /** A folder for CPU profiles of what is measured. */
  readonly profiles?: string | undefined;
}

/** The server, and all contestants that are started; in a folder that is gone afterwards. */
export class Team {
  readonly server: ServerAddress;
  readonly #child: Child;
  readonly #folder: string;
  readonly #options: TeamOptions;
  readonly #members = new Set<Member>();
  readonly #starting = new Set<Promise<Entrant>>();
  #started = 0;

  private constructor(server: ServerAddress, child: Child, folder: string, options: TeamOptions) {
    this.server = server;
    this.#child = child;
    this.#folder = folder;
    this.#options = options;
    process.once('exit', this.#kill);
  }

  /** Leaves nothing behind even where this process ends by a fault. */
  readonly #kill = (): void => {
    for (const pid of [...this.#members].map(({ entrant }) => entrant.pid).concat(this.#child.pid)) {
      try {
        if (pid !== undefined) process.kill(pid);
      } catch {
        // It has ended by itself.
      }
    }
    rmSync(this.#folder, { recursive: true, force: true });
  };

  static async start(options: TeamOptions): Promise<Team> {
    const folder = mkdtempSync(path.join(os.tmpdir(), 'insight-dump-bench-'));
    const child = startProgram('server', []);
    const { port, plainPort, ca } = await child.said<Listening>();
    const caFile = path.join(folder, 'server-ca.pem');
    writeFileSync(caFile, ca);
    return new Team({ port, plainPort, ca, caFile }, child, folder, options);
  }

  async add(contestant: Contestant, { isProbed }: { readonly isProbed: boolean }): Promise<Member> {
    this.#started += 1;
    const file = path.join(this.#folder, `probe-${this.#started}.json`);
    const nodeEnv = isProbed ? probeEnv(file, this.#profileOf(contestant)) : {};
    const beganMs = performance.now();
    const starting = contestant.start(this.server, { nodeEnv, scratch: this.#folder });
    this.#starting.add(starting);
    const entrant = await starting.finally(() => this.#starting.delete(starting));
    const startMs = performance.now() - beganMs;
    const { pid } = entrant;
    const loopDelay = isProbed && entrant.isNode && pid !== undefined ? new ProbedLoop(pid, file) : undefined;
    const member = { contestant, entrant, loopDelay, startMs, tally: { exchanges: 0 } };
    this.#members.add(member);
    return member;
  }

  /** Puts the profiles of the last measurements by, under the name of the work that they are of; by contestants. */
  keepProfiles(work: string): Map<string, string> {
    const kept = new Map<string, string>();
    for (const { contestant } of this.#members) {
      const profile = this.#profileOf(contestant);
      if (profile === undefined || !existsSync(profile)) continue;
      const file = profile.replace(PROFILE, `-${work}$&`);
      renameSync(profile, file);
      kept.set(contestant.name, file);
    }
    return kept;
  }

  #profileOf({ name }: Contestant): string | undefined {
    const { profiles } = this.#options;
    return profiles && path.join(profiles, `${name.replaceAll(/\W+/g, '-')}.cpuprofile`);
  }

  async remove(member: Member): Promise<void> {
    this.#members.delete(member);
    await member.entrant.stop();
  }

  async stop(): Promise<void> {
    const begun = [...this.#starting, ...[...this.#members].map(({ entrant }) => entrant)];
    await Promise.allSettled(begun.map(async (entrant) => (await entrant).stop()));
    process.off('exit', this.#kill);
    await this.#child.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const PROFILE = /\.cpuprofile$/;

function probeEnv(file: string, profile: string | undefined): NodeJS.ProcessEnv {
  return {
    NODE_OPTIONS: `--import ${pathToFileURL(programFile('probe')).href}`,
    BENCH_PROBE: file,
    ...(profile && { BENCH_PROFILE: profile }),
  };
}

/** It is a matter of milliseconds, unless the machine has much else to do. */
const TELL_LIMIT_MS = 60_000;

/** Asks the probe in a process. */
class ProbedLoop implements LoopDelay {
  readonly #pid: number;
  readonly #file: string;

  constructor(pid: number, file: string) {
    this.#pid = pid;
    this.#file = file;
  }

  async sinceLast(): Promise<number> {
    process.kill(this.#pid, 'SIGUSR2');
    const look = () => readFile(this.#file, 'utf8').catch(() => undefined);
    const text = await eventually('what the probe tells', look, TELL_LIMIT_MS);
    await rm(this.#file);
    return (JSON.parse(text) as Told).loopDelayP99Ms;
  }
}
