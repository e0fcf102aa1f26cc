/** What a client says who it is. */
export interface Credentials {
  readonly user: string;
  readonly password: string;
}

/** More than a name and a password can be in need of; without a bound, each try could be made to cost much. */
const MAX_CREDENTIALS_BYTES = 1_024;

/**
 * Reads a `Proxy-Authorization: Basic` (RFC 7617): all that it can mean, the likeliest first. The RFC leaves the encoding
 * open: most clients send UTF-8, Java and Python's requests Latin-1; bytes that could be either are read as both. The
 * password begins after the first colon.
 */
export function readBasic(header: string): Credentials[] {
  const [, encoded] = /^basic +([A-Za-z0-9+/_-]+=*) *$/i.exec(header) ?? [];
  if (encoded === undefined) return [];
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.length > MAX_CREDENTIALS_BYTES) return [];
  const texts = new Set([bytes.toString('utf8'), bytes.toString('latin1')]);
  return [...texts].flatMap((text) => {
    const colon = text.indexOf(':');
    if (colon < 0) return [];
    // Typed on another system, the same name may come in other code points.
    return [{ user: text.slice(0, colon).normalize(), password: text.slice(colon + 1).normalize() }];
  });
}
