/** An addon that tells tests of each exchange, once, as addons get it. */
import { existsSync } from 'node:fs';
import type { CopilotExchange } from '../core/addon.ts';
import { eventually, type ProxyProcess } from './proxy-process.ts';

/** Writes each exchange as a line of JSON; waits before that, as long as there is a file `wait`. */
export const TELL = `
  import { appendFileSync, existsSync } from 'node:fs';
  import path from 'node:path';
  import { setTimeout as sleep } from 'node:timers/promises';
  import { defineAddon } from 'insight-dump';

  export default defineAddon({
    async exchange(exchange, flow, { paths }) {
      while (existsSync(path.join(paths.logs, 'wait'))) await sleep(20);
      appendFileSync(path.join(paths.logs, 'exchanges.jsonl'), JSON.stringify({ ...exchange, flow: flow.id }) + '\\n');
    },
  });
`;

export type ToldExchange = CopilotExchange & { readonly flow: string };

/** All that it has told of so far. */
export function toldNow(proxy: ProxyProcess): ToldExchange[] {
  if (!existsSync(proxy.path('logs/exchanges.jsonl'))) return [];
  const lines = proxy.read('logs/exchanges.jsonl').split('\n').slice(0, -1);
  return lines.map((line) => JSON.parse(line) as ToldExchange);
}

/** Waits for so many. */
export function told(proxy: ProxyProcess, count: number): Promise<ToldExchange[]> {
  return eventually(
    () => `${count} exchanges; there are ${toldNow(proxy).length}:\n${proxy.output}`,
    () => (toldNow(proxy).length >= count ? toldNow(proxy) : undefined),
  );
}
