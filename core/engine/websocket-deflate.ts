import { extension, PerMessageDeflate } from 'ws';
import type { Headers } from '../headers.ts';

const HEADER = 'sec-websocket-extensions';
const DEFLATE = PerMessageDeflate.extensionName;

/** Little memory for each WebSocket, and little time: what is sent is JSON, which is easily made small. */
const DEFLATE_OPTIONS = { level: 3, memLevel: 7 };

/**
 * Leaves, of the extensions that a client offers, the compression of messages (RFC 7692): the one that can be read. What
 * a server makes of the offer is agreed on with both, and each of them is spoken to accordingly.
 */
export function offerDeflateOnly(headers: Headers): void {
  const offers = parsed(headers);
  if (offers === undefined) headers.delete(HEADER);
  else headers.set(HEADER, extension.format({ [DEFLATE]: offers }));
}

/**
 * What compresses for one end of a WebSocket, and reads what that has compressed; undefined when nothing was agreed on.
 *
 * @param agreed the head of the 101
 * @param role which end it is
 * @param limitBytes messages may become no larger
 */
export function agreedDeflate(
  agreed: Headers,
  role: 'client' | 'server',
  limitBytes: number,
): PerMessageDeflate | undefined {
  const params = parsed(agreed);
  if (params === undefined) return undefined;
  const deflate = new PerMessageDeflate({
    // Towards the client, the proxy is the server.
    isServer: role === 'client',
    maxPayload: limitBytes,
    zlibDeflateOptions: DEFLATE_OPTIONS,
  });
  try {
    deflate.accept(params);
  } catch {
    // The client cannot have offered that: it fails the WebSocket itself (RFC 7692, section 7.1).
    return undefined;
  }
  return deflate;
}

function parsed(headers: Headers): ExtensionParams[] | undefined {
  try {
    return extension.parse(headers.get(HEADER) ?? '')[DEFLATE];
  } catch {
    return undefined;
  }
}

/** Parameters of an extension, as they were written. */
type ExtensionParams = Record<string, (string | true)[]>;

// `ws` exports both; its types do not say so.
declare module 'ws' {
  export const extension: {
    /** @throws SyntaxError */
    parse(header: string): Partial<Record<string, ExtensionParams[]>>;
    format(extensions: Record<string, ExtensionParams[]>): string;
  };

  export class PerMessageDeflate {
    static readonly extensionName: string;
    constructor(options: { isServer: boolean; maxPayload: number; zlibDeflateOptions: object });
    /** @throws TypeError */
    accept(params: ExtensionParams[]): unknown;
    /** Frees its memory. */
    cleanup(): void;
  }
}
