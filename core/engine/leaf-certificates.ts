import { createPrivateKey, type KeyObject, webcrypto } from 'node:crypto';
import net from 'node:net';
import tls from 'node:tls';
import * as x509 from '@peculiar/x509';
import type { CertificateAuthority } from './ca.ts';

const { subtle } = webcrypto;

/** Clients name whatever host they like, and each name costs memory: those that were asked for last are kept. */
const MAX_NAMES = 300;

const DAY_MS = 86_400_000;
/** Clients' clocks may be behind. */
const VALID_BEFORE_MS = DAY_MS;
/** Below the 47 days that publicly trusted certificates will be held to, lest a client applies that to all. */
const VALID_FOR_MS = 45 * DAY_MS;
const RENEW_AFTER_MS = VALID_FOR_MS - DAY_MS;

/** A common name may have no more characters (RFC 5280, appendix A.1, `ub-common-name`). */
const MAX_COMMON_NAME = 64;

/** RFC 1035, section 2.3.4; with underscores, which are in use. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*$/;

/** The keys of leaf certificates: a handshake costs a tenth of what it does with RSA. */
const LEAF_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** WebCrypto's name for OpenSSL's of a curve, and the hash that belongs to it. */
const CURVES: Partial<Record<string, { namedCurve: string; hash: string }>> = {
  prime256v1: { namedCurve: 'P-256', hash: 'SHA-256' },
  secp384r1: { namedCurve: 'P-384', hash: 'SHA-384' },
  secp521r1: { namedCurve: 'P-521', hash: 'SHA-512' },
};

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
    return new LeafCertificates(await issuerOf(ca));
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
  async issue(name: string): Promise<{ key: string; cert: string }> {
    const { pem, leafPem } = this.#issuer;
    const certificate = await sign(this.#issuer, name);
    // Chromium can be told to accept whatever comes with a certificate of ours: it has to be seen.
    return { key: leafPem, cert: `${certificate.toString('pem')}\n${pem}` };
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

interface Issuer {
  readonly certificate: x509.X509Certificate;
  /** The same. */
  readonly pem: string;
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: { readonly name: string; readonly hash: string };
  /** Of all leaves: whoever can read it from this process can read the CA's, too. */
  readonly leafKey: webcrypto.CryptoKey;
  /** PEM of the same. */
  readonly leafPem: string;
}

async function issuerOf(ca: CertificateAuthority): Promise<Issuer> {
  const privateKey = createPrivateKey(ca.key);
  const algorithm = signingAlgorithm(privateKey);
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const key = await subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
  const leafKeys = await subtle.generateKey(LEAF_ALGORITHM, true, ['sign', 'verify']);
  const leafPem = x509.PemConverter.encode(await subtle.exportKey('pkcs8', leafKeys.privateKey), 'PRIVATE KEY');
  const certificate = new x509.X509Certificate(ca.cert);
  return { certificate, pem: ca.cert, key, algorithm, leafKey: leafKeys.publicKey, leafPem };
}

function signingAlgorithm({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject) {
  if (asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const curve = CURVES[asymmetricKeyDetails?.namedCurve ?? ''];
  if (curve === undefined) throw new Error(`the CA's key is of type ${asymmetricKeyType}; it has to be RSA or EC`);
  return { name: 'ECDSA', ...curve };
}

async function sign(issuer: Issuer, name: string): Promise<x509.X509Certificate> {
  const now = Date.now();
  const kind = net.isIP(name) === 0 ? 'dns' : 'ip';
  const hasCommonName = name.length <= MAX_COMMON_NAME;
  return x509.X509CertificateGenerator.create(
    {
      subject: new x509.Name(hasCommonName ? [{ CN: [name] }] : []),
      issuer: issuer.certificate.subjectName,
      notBefore: new Date(now - VALID_BEFORE_MS),
      notAfter: new Date(now + VALID_FOR_MS),
      publicKey: issuer.leafKey,
      signingKey: issuer.key,
      signingAlgorithm: issuer.algorithm,
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
        // RFC 5280, section 4.2.1.6: critical where there is no subject.
        new x509.SubjectAlternativeNameExtension([{ type: kind, value: name }], !hasCommonName),
        await x509.AuthorityKeyIdentifierExtension.create(issuer.certificate, false, webcrypto),
      ],
    },
    webcrypto,
  );
}
