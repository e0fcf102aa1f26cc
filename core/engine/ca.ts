import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, mkdir, readFile, rename } from 'node:fs/promises';
import path from 'node:path';
import { errors } from '../errors.ts';
import { writeWholeFile } from '../whole-file.ts';
import { certificates } from './mockttp-parts.ts';

export interface CertificateAuthority {
  /** PEM. It never leaves `confdir` and this process. */
  readonly key: string;
  /** PEM. */
  readonly cert: string;
  /** The file with the certificate, for clients to trust. */
  readonly certFile: string;
  /** True when it was made just now. */
  readonly created: boolean;
}

/**
 * Reads the CA from `confdir`, or makes one there. It is kept from then on: clients trust that very certificate.
 *
 * @throws InsightError `caUnreadable`, `folderUnusable`
 */
export async function loadCertificateAuthority(confdir: string): Promise<CertificateAuthority> {
  const [certFile, keyFile] = filesIn(confdir);
  const created = !existsSync(certFile) && !existsSync(keyFile);
  if (created) await create(confdir);
  return { ...(await read(certFile, keyFile)), certFile, created };
}

async function read(certFile: string, keyFile: string): Promise<{ cert: string; key: string }> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
    const certificate = new X509Certificate(cert);
    if (!certificate.ca) throw new Error('ca.pem is no CA certificate');
    const privateKey = createPrivateKey(key);
    if (!certificate.checkPrivateKey(privateKey)) throw new Error('ca.key does not belong to ca.pem');
    signingAlgorithm(privateKey);
    if (new Date(certificate.validTo) < new Date()) throw new Error(`ca.pem has expired on ${certificate.validTo}`);
    return { cert, key };
  } catch (error) {
    throw errors.caUnreadable(path.dirname(certFile), error);
  }
}

/** WebCrypto's name for OpenSSL's of a curve, and the hash that belongs to it. */
const CURVES: Partial<Record<string, { namedCurve: string; hash: string }>> = {
  prime256v1: { namedCurve: 'P-256', hash: 'SHA-256' },
  secp384r1: { namedCurve: 'P-384', hash: 'SHA-384' },
  secp521r1: { namedCurve: 'P-521', hash: 'SHA-512' },
};

/** How WebCrypto signs with a CA's key. @throws when that is neither RSA nor of a curve of NIST's */
export function signingAlgorithm({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject) {
  if (asymmetricKeyType === 'rsa') return { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' };
  const curve = CURVES[asymmetricKeyDetails?.namedCurve ?? ''];
  if (curve === undefined)
    throw new Error(`ca.key is of type ${asymmetricKeyType}; it has to be RSA, or of a curve of NIST's`);
  return { name: 'ECDSA', ...curve };
}

/**
 * Makes a new CA in the place of the one in `confdir`. The old certificate is kept beside it, for those who have to find
 * and distrust it; the old key is gone.
 *
 * @param permitted the only names that it may sign for, with all of their subdomains (RFC 5280, section 4.2.1.10);
 *   any if there are none
 * @returns the new certificate's file, and where the old one is, if there was one
 * @throws InsightError `folderUnusable`
 */
export async function rotateCertificateAuthority(
  confdir: string,
  permitted: readonly string[],
): Promise<{ certFile: string; oldCertFile: string | undefined }> {
  const [certFile] = filesIn(confdir);
  const oldCertFile = existsSync(certFile) ? path.join(confdir, `ca-until-${stamp(new Date())}.pem`) : undefined;
  try {
    if (oldCertFile !== undefined) await rename(certFile, oldCertFile);
  } catch (error) {
    throw errors.folderUnusable('the CA', confdir, error);
  }
  await create(confdir, permitted);
  return { certFile, oldCertFile };
}

/** A time as it may stand in a file's name. */
function stamp(time: Date): string {
  return time.toISOString().slice(0, 19).replaceAll(':', '-');
}

function filesIn(confdir: string): [certFile: string, keyFile: string] {
  return [path.join(confdir, 'ca.pem'), path.join(confdir, 'ca.key')];
}

async function create(confdir: string, permitted: readonly string[] = []): Promise<void> {
  const [certFile, keyFile] = filesIn(confdir);
  const { cert, key } = await certificates.generateCACertificate({
    subject: { commonName: 'insight-dump', organizationName: 'insight-dump proxy on this site' },
    ...(permitted.length > 0 && { nameConstraints: { permitted: [...permitted] } }),
  });
  try {
    await mkdir(confdir, { recursive: true, mode: 0o700 });
    await writeWholeFile(keyFile, key, { mode: 0o600 });
    await writeWholeFile(certFile, cert, { mode: 0o644 });
    await chmod(keyFile, 0o600);
  } catch (error) {
    throw errors.folderUnusable('the CA', confdir, error);
  }
}
