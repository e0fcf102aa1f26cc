import net from 'node:net';

/** A host and port, as in the target of a CONNECT. */
export interface Authority {
  /** Lower case, without brackets or a trailing dot. */
  readonly host: string;
  readonly port: number;
}

/**
 * Parses `host:port` (RFC 9112, section 3.2.3; IPv6 in brackets). Returns undefined for anything else, a missing or
 * impossible port included.
 */
export function parseAuthority(text: string): Authority | undefined {
  const match = AUTHORITY.exec(text);
  if (match === null) return undefined;
  const port = Number(match[3]);
  if (port < 1 || port > 65_535) return undefined;
  const [, address, name = ''] = match;
  if (address !== undefined) return net.isIPv6(address) ? { host: address.toLowerCase(), port } : undefined;
  const host = name.toLowerCase().replace(/\.$/, '');
  return host === '' || host.endsWith('.') ? undefined : { host, port };
}

const AUTHORITY = /^(?:\[([0-9A-Fa-f:.%]+)\]|([^\s:@/?#[\]\\]+)):(\d{1,5})$/;

/**
 * Parses the absolute form in which proxies are asked for plain HTTP (RFC 9112, section 3.2.2). The path stays as it
 * was written.
 */
export function parseAbsoluteForm(url: string, method: string): { target: Authority; path: string } | undefined {
  const [, authority = '', rest = ''] = ABSOLUTE_FORM.exec(url) ?? [];
  const target = parseAuthority(/:\d+$/.test(authority) ? authority : `${authority}:80`);
  if (target === undefined) return undefined;
  return { target, path: originForm(rest, method) };
}

const ABSOLUTE_FORM = /^http:\/\/([^/?#]*)([^#]*)/i;

/**
 * What a request in a tunnel asks its server for: path and query, or `*` for the server as a whole (RFC 9112, section
 * 3.2). Where it is in absolute form, the authority is left out. Undefined if it is in none of these forms.
 */
export function parseTarget(url: string, method: string): string | undefined {
  if (url.startsWith('/')) return url;
  if (url === '*') return method === 'OPTIONS' ? url : undefined;
  const [, rest] = /^https?:\/\/[^/?#]+([^#]*)/i.exec(url) ?? [];
  return rest === undefined ? undefined : originForm(rest, method);
}

/** By what stands behind the authority of an absolute form (RFC 9112, sections 3.2.2 and 3.2.4). */
function originForm(rest: string, method: string): string {
  if (rest === '' && method === 'OPTIONS') return '*';
  return rest.startsWith('/') ? rest : `/${rest}`;
}
