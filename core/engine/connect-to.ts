import { errors } from '../errors.ts';
import type { Authority } from './authority.ts';

/** One `--connect-to`: who asks for `from` is connected to `to`. Undefined matches, or keeps, anything. */
export interface ConnectTo {
  readonly from: Partial<Authority>;
  readonly to: Partial<Authority>;
}

/**
 * Parses curl's `HOST1:PORT1:HOST2:PORT2`: any of the four may be empty, IPv6 stands in brackets.
 *
 * @throws InsightError `connectToInvalid`
 */
export function parseConnectTo(value: string): ConnectTo {
  const match = CONNECT_TO.exec(value);
  if (match === null) throw errors.connectToInvalid(value);
  const [, host1, port1, host2, port2] = match;
  return { from: side(value, host1, port1), to: side(value, host2, port2) };
}

/** Where a connection to `wanted` goes, and whether a `--connect-to` said so. The first that matches counts. */
export function applyConnectTo(rules: readonly ConnectTo[], wanted: Authority): Authority & { redirected: boolean } {
  for (const { from, to } of rules) {
    if (from.host !== undefined && from.host !== wanted.host) continue;
    if (from.port !== undefined && from.port !== wanted.port) continue;
    return { host: to.host ?? wanted.host, port: to.port ?? wanted.port, redirected: true };
  }
  return { ...wanted, redirected: false };
}

const HOST = String.raw`(\[[^\]]*\]|[^:[\]]*)`;
const CONNECT_TO = new RegExp(`^${HOST}:(\\d*):${HOST}:(\\d*)$`);

function side(value: string, host = '', port = ''): Partial<Authority> {
  const name = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (Number(port) > 65_535) throw errors.connectToInvalid(value);
  return { ...(name !== '' && { host: name }), ...(port !== '' && { port: Number(port) }) };
}
