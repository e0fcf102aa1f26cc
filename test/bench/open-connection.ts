import type { Connection } from './connection.ts';
import type { Alpn } from './contestant.ts';
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
