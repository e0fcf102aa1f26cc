/** The versions of HTTP that clients speak, as they are named in TLS. */
export type Alpn = 'http/1.1' | 'h2';

/** How they are written: in the names of works, and for people. */
export const VERSIONS = {
  'http/1.1': { short: 'h1', long: 'HTTP/1.1' },
  h2: { short: 'h2', long: 'HTTP/2' },
} as const satisfies Record<Alpn, { readonly short: string; readonly long: string }>;
