import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as never);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;

/** WebCrypto's names of an algorithm and, where it has some, of its parameters. */
type KeyAlgorithm = typeof ALGORITHM | { readonly name: 'Ed25519' };

export interface KeyAndCertificate {
  /** PEM. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
}

export interface Authority extends KeyAndCertificate {
  /** As its certificates name it. */
  readonly name: string;
  readonly keys: webcrypto.CryptoKeyPair;
}

/** A CA with an elliptic key, unless another is asked for. */
export async function makeAuthority(commonName: string, algorithm: KeyAlgorithm = ALGORITHM): Promise<Authority> {
  const name = `CN=${commonName}`;
  const keys = await makeKeys(algorithm);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    ...VALID_NOW(),
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return { name, keys, key: await pemOf(keys.privateKey), cert: cert.toString('pem') };
}

/** A CA of its own and a certificate by it for these hosts, as a server on the internet would have. */
export async function makeCertificate(hosts: readonly string[]): Promise<KeyAndCertificate & { readonly ca: string }> {
  const authority = await makeAuthority('Fake Internet CA');
  return { ...(await issueCertificate(authority, hosts)), ca: authority.cert };
}

/** A certificate by this CA. */
export async function issueCertificate(
  authority: Authority,
  hosts: readonly string[],
  validity = VALID_NOW(),
): Promise<KeyAndCertificate> {
  const keys = await makeKeys();
  const cert = await x509.X509CertificateGenerator.create({
    subject: `CN=${hosts[0]}`,
    issuer: authority.name,
    ...validity,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.SubjectAlternativeNameExtension(
        hosts.map((host) => ({ type: /^[\d.]+$|:/.test(host) ? 'ip' : 'dns', value: host }) as const),
      ),
    ],
  });
  return { key: await pemOf(keys.privateKey), cert: cert.toString('pem') };
}

/** A validity that is over. */
export const EXPIRED = () => ({
  notBefore: new Date(Date.now() - 48 * HOUR_MS),
  notAfter: new Date(Date.now() - 24 * HOUR_MS),
});

const VALID_NOW = () => ({ notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + 24 * HOUR_MS) });

async function pemOf(privateKey: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
}

async function makeKeys(algorithm: KeyAlgorithm = ALGORITHM): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}
