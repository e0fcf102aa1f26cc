/** Proxies whose work is done by several processes. */
import { ask, openSession } from './clients.ts';
import { children } from './process-stats.ts';
import { eventually, type ProxyOptions, ProxyProcess } from './proxy-process.ts';
import { API_HOST } from './requests.ts';

export function startWorkers(count: number, options: ProxyOptions = {}): Promise<ProxyProcess> {
  return ProxyProcess.start({ ...options, args: ['--workers', String(count), ...(options.args ?? [])] });
}

/** The ids of its processes, by their number. */
export function workerPids({ pid }: ProxyProcess): Map<number, number> {
  const named = [...children(pid)].map(([id, command]) => [Number(/worker (\d+)$/.exec(command)?.[1]), id] as const);
  return new Map(named.filter(([number]) => !Number.isNaN(number)).sort());
}

/** An addon that says in each answer which worker it comes from, and which version is in force there. */
export const numbering = (version: string, more = '') => `
  export const responseHeaders = ({ response }, { worker: { number, count } }) =>
    response.headers.set('x-tag', number + '/' + count + ' ${version}');
  ${more}
`;

/** What that addon says on so many connections, each thing once. */
export async function tags(proxy: ProxyProcess, connections = 4): Promise<string[]> {
  const said = new Set<string>();
  for (let i = 0; i < connections; i++) {
    const session = await openSession(proxy, 'alice', API_HOST);
    const { headers } = await ask(session, { ':path': '/echo' });
    said.add(String(headers['x-tag']));
    session.close();
  }
  return [...said].sort();
}

/** Waits until all connections are answered so. */
export async function allSay(proxy: ProxyProcess, ...expected: readonly string[]): Promise<void> {
  let last: string[] = [];
  await eventually(
    () => `${expected}; it is ${last}:\n${proxy.output}`,
    async () => {
      last = await tags(proxy);
      return last.join() === expected.join();
    },
  );
}
