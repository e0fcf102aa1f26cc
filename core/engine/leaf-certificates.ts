import net from 'node:net';
import tls from 'node:tls';
import type { CertificateAuthority } from './ca.ts';
import type { Issuer } from './issuer.ts';

/** Clients name whatever host they like, and each name costs memory: those that were asked for last are kept. */
const MAX_NAMES = 300;

const DAY_MS = 86_400_000;
/** Clients' clocks may be behind. */
const VALID_BEFORE_MS = DAY_MS;
/** Below the 47 days that publicly trusted certificates will be held to, lest a client applies that to all. */
const VALID_FOR_MS = 45 * DAY_MS;
const RENEW_AFTER_MS = VALID_FOR_MS - DAY_MS;

/** RFC 1035, section 2.3.4; with underscores, which are in use. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

interface Leaf {
  readonly context: Promise<tls.SecureContext>;
  /** On the clock of `Date.now()`. */
  readonly renewAtMs: number;
}

/** Certificates of our CA for the names that clients ask for, ready for TLS. */
export class LeafCertificates {
  /** By name. Those that were asked for longest ago come first. */
  readonly #leaves = new Map<string, Leaf>();
  readonly #issuer: Issuer;

  private constructor(issuer: Issuer) {
    this.#issuer = issuer;
  }

  /** @throws when the CA's key is neither RSA nor of a curve of NIST's */
  static async of(ca: CertificateAuthority): Promise<LeafCertificates> {
    const { Issuer } = await import('./issuer.ts');
    return new LeafCertificates(await Issuer.of(ca));
  }

  /** How many are kept. */
  get size(): number {
    return this.#leaves.size;
  }

  /**
   * The context for a server name out of a client's hello; the same for all that ask for it at once. Undefined for what
   * can be no host's name.
   */
  contextFor(serverName: string): Promise<tls.SecureContext> | undefined {
    // RFC 6066, section 3: without regard to case, and without a trailing dot.
    const name = serverName.toLowerCase().replace(/\.$/, '');
    if (!HOST_NAME.test(name) && net.isIP(name) === 0) return undefined;
    const known = this.#leaves.get(name);
    const leaf = known !== undefined && Date.now() < known.renewAtMs ? known : this.#make(name);
    this.#leaves.delete(name);
    this.#leaves.set(name, leaf);
    const [oldest] = this.#leaves.keys();
    if (this.#leaves.size > MAX_NAMES && oldest !== undefined) this.#leaves.delete(oldest);
    return leaf.context;
  }

  /** A certificate for that name, with the CA's after it, and its key, in PEM. */
  issue(name: string): Promise<{ key: string; cert: string }> {
    const nowMs = Date.now();
    const [notBefore, notAfter] = [new Date(nowMs - VALID_BEFORE_MS), new Date(nowMs + VALID_FOR_MS)];
    return this.#issuer.issue(name, { notBefore, notAfter });
  }

  #make(name: string): Leaf {
    const context = this.issue(name).then(tls.createSecureContext);
    const leaf = { context, renewAtMs: Date.now() + RENEW_AFTER_MS };
    context.catch(() => {
      if (this.#leaves.get(name) === leaf) this.#leaves.delete(name);
    });
    return leaf;
  }
}
