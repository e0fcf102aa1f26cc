import { X509Certificate } from 'node:crypto';
import { confdirOf } from './config.ts';
import { loadCertificateAuthority, rotateCertificateAuthority } from './engine/ca.ts';

export interface CaRequest {
  readonly confdir: string | undefined;
  readonly rotate: boolean;
  /** The only names that a new one may sign for. */
  readonly only: readonly string[];
}

/** Tells of the CA that clients have to trust, making it first if there is none; or makes another. @throws InsightError */
export async function caCommand({ confdir, rotate, only }: CaRequest): Promise<void> {
  const folder = confdirOf({ confdir });
  const rotated = rotate ? await rotateCertificateAuthority(folder, only) : undefined;
  const { cert, certFile } = await loadCertificateAuthority(folder);
  const { fingerprint256, validTo } = new X509Certificate(cert);
  const lines = [certFile, `  SHA-256  ${fingerprint256}`, `  until    ${validTo}`];
  if (rotated !== undefined) {
    if (only.length > 0) lines.push(`  only for ${only.join(', ')}`);
    lines.push('', 'This CA is new: clients have to trust it, and the proxy takes it with its next start.');
    if (rotated.oldCertFile !== undefined) lines.push(`The old one is ${rotated.oldCertFile}; its key is deleted.`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}
