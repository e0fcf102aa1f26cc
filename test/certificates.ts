import { webcrypto } from 'node:crypto';
import * as x509 from '@peculiar/x509';

x509.cryptoProvider.set(webcrypto as never);

const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const HOUR_MS = 3_600_000;

export interface KeyAndCertificate {
  /** PEM. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
}

/** A CA with an elliptic key. */
export async function makeAuthority(
  commonName: string,
): Promise<KeyAndCertificate & { readonly keys: webcrypto.CryptoKeyPair }> {
  const keys = await makeKeys();
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=${commonName}`,
    keys,
    ...VALID_NOW(),
    signingAlgorithm: ALGORITHM,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return { keys, key: await pemOf(keys.privateKey), cert: cert.toString('pem') };
}

/** A CA of its own and a certificate by it for these hosts, as a server on the internet would have. */
export async function makeCertificate(hosts: readonly string[]): Promise<KeyAndCertificate & { readonly ca: string }> {
  const authority = await makeAuthority('Fake Internet CA');
  const keys = await makeKeys();
  const cert = await x509.X509CertificateGenerator.create({
    subject: `CN=${hosts[0]}`,
    issuer: 'CN=Fake Internet CA',
    ...VALID_NOW(),
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new x509.SubjectAlternativeNameExtension(
        hosts.map((host) => ({ type: /^[\d.]+$|:/.test(host) ? 'ip' : 'dns', value: host }) as const),
      ),
    ],
  });
  return { key: await pemOf(keys.privateKey), cert: cert.toString('pem'), ca: authority.cert };
}

const VALID_NOW = () => ({ notBefore: new Date(Date.now() - HOUR_MS), notAfter: new Date(Date.now() + 24 * HOUR_MS) });

async function pemOf(privateKey: webcrypto.CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', privateKey), 'PRIVATE KEY');
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return (await webcrypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair;
}
