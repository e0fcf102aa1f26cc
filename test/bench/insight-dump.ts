/** insight-dump as a contestant. */
import { mkdtempSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { recordFiles } from '../../core/copilot/record-files.ts';
import { openTunnel, type ProxyAccess } from '../clients.ts';
import { leadingTo } from '../own-upstream.ts';
import { ProxyProcess } from '../proxy-process.ts';
import type { Contestant, Entrant } from './contestant.ts';

export interface Setting extends Pick<Contestant, 'name' | 'about'> {
  /** The text of `addons.config.ts`. */
  readonly config: string;
  /** Scripts and the like, by path. */
  readonly files?: Readonly<Record<string, string>>;
  /** Who opens connections, in turns; without them, nobody is asked for a password. */
  readonly users?: readonly string[];
  /** Whether each exchange is recorded. */
  readonly isRecording?: boolean;
  /** Puts into the folder what is to be there before it starts. */
  prepare?(folder: string, scratch: string): void;
  readonly vary?: NonNullable<Entrant['vary']>;
}

export function insightDump({
  name,
  about,
  config,
  files = {},
  users,
  isRecording,
  prepare,
  vary,
}: Setting): Contestant {
  return {
    name,
    about,
    async start(server, { nodeEnv, scratch }) {
      const way = leadingTo(server);
      const folder = mkdtempSync(path.join(scratch, 'insight-dump-'));
      prepare?.(folder, scratch);
      const sinceMs = Date.now();
      const proxy = await ProxyProcess.start({
        ...way,
        config,
        folder,
        files: { ...way.files, ...files },
        env: nodeEnv,
      });
      const access = accessTo(proxy, users !== undefined);
      let opened = 0;
      return {
        pid: proxy.pid,
        isNode: true,
        open(host, alpn) {
          const user = users?.[opened % users.length];
          opened += 1;
          return openTunnel(access, user, host, [alpn]);
        },
        ...(vary && { vary }),
        ...(isRecording && { recorded: () => countRecords(proxy.path('logs'), sinceMs) }),
        save: (script, text) => proxy.write(script, text),
        stop: () => proxy.stop({ keep: true }).then(() => {}),
      };
    },
  };
}

/** The same for clients, read once. */
function accessTo(proxy: ProxyProcess, hasUsers: boolean): ProxyAccess {
  const passwords: Record<string, string> = hasUsers ? JSON.parse(proxy.read('logs/user_auth.json')) : {};
  return { port: proxy.port, ca: proxy.ca, password: (user) => passwords[user] ?? '' };
}

async function countRecords(logs: string, fromMs: number): Promise<number> {
  let count = 0;
  for await (const { isPartial } of recordFiles(logs, { fromMs, untilMs: Number.POSITIVE_INFINITY }))
    if (!isPartial) count += 1;
  return count;
}

/** The config that ships, for these users, and with these addons at the end of its chain. */
export function shippedConfig(users: readonly string[], addons: readonly string[] = []): string {
  const shipped = readFileSync(new URL('../../addons.config.ts', import.meta.url), 'utf8');
  const parts = /^(.*\baddons: \[.*?)(\n {2}\],.*\busers: )\['alice', 'bob'\](.*)$/s.exec(shipped);
  if (parts === null) throw new Error('addons.config.ts is not what it was: tell the benchmark how to change it');
  const [, chain, between, rest] = parts;
  return `${chain}${addons.map((script) => `\n'${script}',`).join('')}${between}${JSON.stringify(users)}${rest}`;
}
