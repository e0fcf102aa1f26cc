import net from 'node:net';
import { codeOf, errors } from '../errors.ts';

/** Listens on one address at a time. */
export class Listener<Server extends net.Server = net.Server> {
  readonly #make: () => Server;
  #server: Server;

  /** @param make another server each time, as one that has been closed for good or could not listen is of no use */
  constructor(make: () => Server) {
    this.#make = make;
    this.#server = make();
  }

  /** The one that listens, or has, or is going to. */
  get server(): Server {
    return this.#server;
  }

  /**
   * Listens there, and nowhere else: what it listened on before is closed, and connections that came in by it go on.
   *
   * @throws InsightError `portInUse`, `cannotListen`; it listens where it did before then
   */
  async listen(host: string, port: number): Promise<net.AddressInfo> {
    const before = this.#server;
    const server = this.#make();
    try {
      await listenOn(server, host, port);
    } catch (error) {
      const old = before.address() as net.AddressInfo | null;
      if (codeOf(error) !== 'portInUse' || old?.port !== port) throw error;
      // It is in our own way: the same port, on another address.
      stopAccepting(before);
      try {
        await listenOn(server, host, port);
      } catch (second) {
        await listenOn(before, old.address, old.port);
        throw second;
      }
    }
    this.#server = server;
    stopAccepting(before);
    return server.address() as net.AddressInfo;
  }
}

function listenOn(server: net.Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const refuse = (error: Error) =>
      reject(codeOf(error) === 'EADDRINUSE' ? errors.portInUse(host, port) : errors.cannotListen(host, port, error));
    server.once('error', refuse);
    server.listen({ host, port }, () => {
      server.off('error', refuse);
      resolve();
    });
  });
}

function stopAccepting(server: net.Server): void {
  // `http.Server` would close idle connections too.
  if (server.listening) net.Server.prototype.close.call(server);
}
