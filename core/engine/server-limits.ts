/** What clients may take up, on the front door's connections and within tunnels: options of Node's HTTP/1 servers. */
export const SERVER_LIMITS = {
  /** Bytes. Larger request heads get a 431. */
  maxHeaderSize: 64 * 1024,
  /** Milliseconds. So long after a connection was opened, or the last request ended, a request head has to be here. */
  headersTimeout: 30_000,
  /** How long a body takes is its sender's business. */
  requestTimeout: 0,
  /** Milliseconds. */
  connectionsCheckingInterval: 5_000,
  /** Milliseconds. Idle connections are kept for so long. */
  keepAliveTimeout: 75_000,
} as const;
