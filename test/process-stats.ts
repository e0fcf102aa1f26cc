/** What Linux tells of a process, by `/proc`. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** Its resident memory, in bytes. */
export function rssBytes(pid: number): number {
  const [, kib] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  if (kib === undefined) throw new Error(`process ${pid} has no memory`);
  return Number(kib) * 1024;
}

/**
 * The processor time that it has used so far in all its threads, those that have ended included, in ms. It is told in
 * steps of 10 ms.
 */
export function cpuMs(pid: number): number {
  // proc(5): the name, in parentheses, may hold anything; utime and stime are the 12th and 13th field after it.
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS;
}

/** `USER_HZ` is 100 on all machines that Node runs on. */
const TICK_MS = 10;

/** What its file descriptors lead to: paths, and such as `socket:[1234]`. */
export function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return readdirSync(folder).flatMap((fd) => {
    try {
      return [readlinkSync(`${folder}/${fd}`)];
    } catch {
      // Closed since the folder was read.
      return [];
    }
  });
}

/** Its sockets that listen for TCP, over IPv4 and IPv6, as `<address in hex>:<port>`. */
export function tcpListeners(pid: number): string[] {
  const own = new Set(openFiles(pid).flatMap((target) => /^socket:\[(\d+)\]$/.exec(target)?.[1] ?? []));
  return ['tcp', 'tcp6'].flatMap((table) => {
    const [, ...rows] = readFileSync(`/proc/${pid}/net/${table}`, 'utf8').trim().split('\n');
    return rows.flatMap((row) => {
      // proc(5): number, local address, remote address, state, queues, timer, retransmits, user, timeout, inode.
      const [, local = '', , state, , , , , , inode = ''] = row.trim().split(/\s+/);
      if (state !== TCP_LISTEN || !own.has(inode)) return [];
      const [address, port = ''] = local.split(':');
      return [`${address}:${Number.parseInt(port, 16)}`];
    });
  });
}

/** Whether the system's TCP asks the other end of an idle connection, now and then, if it is still there. */
export function isKeptAlive(localPort: number, remotePort: number): boolean {
  const hex = (port: number) => port.toString(16).toUpperCase().padStart(4, '0');
  const row = readFileSync('/proc/net/tcp', 'utf8')
    .split('\n')
    .find((line) => line.includes(`:${hex(localPort)} `) && line.includes(`:${hex(remotePort)} 01 `));
  // proc_net_tcp of Linux's documentation: which timer is active, and when it expires.
  return / 02:[0-9A-F]{8} /.test(row?.slice(row.indexOf(' 01 ')) ?? '');
}

/** `TCP_LISTEN` of include/net/tcp_states.h. */
const TCP_LISTEN = '0A';

/** Watches a process's resident memory, until `stop()` returns the most there was. */
export function watchRss(pid: number): { stop(): number } {
  let mostBytes = rssBytes(pid);
  const look = () => {
    mostBytes = Math.max(mostBytes, rssBytes(pid));
  };
  const timer = setInterval(look, RSS_INTERVAL_MS);
  return {
    stop() {
      clearInterval(timer);
      look();
      return mostBytes;
    },
  };
}

const RSS_INTERVAL_MS = 50;

export function mib(bytes: number): string {
  return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}

/** The processes that it has started, by id, with their command line or title. */
export function children(pid: number): Map<number, string> {
  const ids = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  return new Map(ids.map((id) => [id, readFileSync(`/proc/${id}/cmdline`, 'latin1').replaceAll('\0', ' ').trim()]));
}
