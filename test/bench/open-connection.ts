import type { Alpn } from './alpn.ts';
import type { Connection } from './connection.ts';
import { Http1Connection } from './http1-connection.ts';
import { Http2Connection } from './http2-connection.ts';
import type { Member } from './team.ts';

export async function openConnection({ entrant, tally }: Member, host: string, version: Alpn): Promise<Connection> {
  const socket = await entrant.open(host, version);
  if (socket.alpnProtocol !== version) throw new Error(`${version} was asked for; it speaks ${socket.alpnProtocol}`);
  return version === 'h2' ? Http2Connection.begin(socket, host, tally) : new Http1Connection(socket, tally);
}

export function openConnections(member: Member, host: string, version: Alpn, many: number): Promise<Connection[]> {
  return Promise.all(Array.from({ length: many }, () => openConnection(member, host, version)));
}

const OPENED_AT_ONCE = 20;

/** A few at a time: all at once would be a storm that no users make. */
export async function openManyConnections(
  member: Member,
  host: string,
  version: Alpn,
  many: number,
): Promise<Connection[]> {
  const open: Connection[] = [];
  while (open.length < many)
    open.push(...(await openConnections(member, host, version, Math.min(OPENED_AT_ONCE, many - open.length))));
  return open;
}
