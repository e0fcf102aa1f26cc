/** What signs certificates. It takes a tenth of a second to load, for which no start has to wait: import it when needed. */
import { createPrivateKey, webcrypto } from 'node:crypto';
import net from 'node:net';
import * as x509 from '@peculiar/x509';
import { type CertificateAuthority, signingAlgorithm } from './ca.ts';

const { subtle } = webcrypto;

/** A common name may have no more characters (RFC 5280, appendix A.1, `ub-common-name`). */
const MAX_COMMON_NAME = 64;

/** The keys of leaf certificates: a handshake costs a tenth of what it does with RSA. */
const LEAF_ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256' } as const;

/** From when until when a certificate is valid. */
export interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** What signs for our CA, and the key that all of its leaves have. */
interface Signing {
  readonly certificate: x509.X509Certificate;
  /** The same. */
  readonly pem: string;
  readonly key: webcrypto.CryptoKey;
  readonly algorithm: { readonly name: string; readonly hash: string };
  /** Whoever can read it from this process can read the CA's, too. */
  readonly leafKey: webcrypto.CryptoKey;
  /** PEM of the same. */
  readonly leafPem: string;
}

/** Issues certificates of our CA. */
export class Issuer {
  readonly #signing: Signing;

  private constructor(signing: Signing) {
    this.#signing = signing;
  }

  /** @throws when the CA's key is neither RSA nor of a curve of NIST's */
  static async of(ca: CertificateAuthority): Promise<Issuer> {
    const privateKey = createPrivateKey(ca.key);
    const algorithm = signingAlgorithm(privateKey);
    const der = privateKey.export({ type: 'pkcs8', format: 'der' });
    const key = await subtle.importKey('pkcs8', der, algorithm, false, ['sign']);
    const leafKeys = await subtle.generateKey(LEAF_ALGORITHM, true, ['sign', 'verify']);
    const leafPem = x509.PemConverter.encode(await subtle.exportKey('pkcs8', leafKeys.privateKey), 'PRIVATE KEY');
    const certificate = new x509.X509Certificate(ca.cert);
    return new Issuer({ certificate, pem: ca.cert, key, algorithm, leafKey: leafKeys.publicKey, leafPem });
  }

  /** A certificate for that name, with the CA's after it, and its key, in PEM. */
  async issue(name: string, validity: Validity): Promise<{ key: string; cert: string }> {
    const { pem, leafPem } = this.#signing;
    const certificate = await this.#sign(name, validity);
    // Chromium can be told to accept whatever comes with a certificate of ours: it has to be seen.
    return { key: leafPem, cert: `${certificate.toString('pem')}\n${pem}` };
  }

  async #sign(name: string, validity: Validity): Promise<x509.X509Certificate> {
    const { certificate, key, algorithm, leafKey } = this.#signing;
    const kind = net.isIP(name) === 0 ? 'dns' : 'ip';
    const hasCommonName = name.length <= MAX_COMMON_NAME;
    return x509.X509CertificateGenerator.create(
      {
        subject: new x509.Name(hasCommonName ? [{ CN: [name] }] : []),
        issuer: certificate.subjectName,
        ...validity,
        publicKey: leafKey,
        signingKey: key,
        signingAlgorithm: algorithm,
        extensions: [
          new x509.BasicConstraintsExtension(false, undefined, true),
          new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
          new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
          // RFC 5280, section 4.2.1.6: critical where there is no subject.
          new x509.SubjectAlternativeNameExtension([{ type: kind, value: name }], !hasCommonName),
          await x509.AuthorityKeyIdentifierExtension.create(certificate, false, webcrypto),
        ],
      },
      webcrypto,
    );
  }
}
