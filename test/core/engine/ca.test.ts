import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { loadCertificateAuthority } from '../../../core/engine/ca.ts';
import { makeAuthority, makeCertificate } from '../../certificates.ts';
import { makeFolder } from '../../proxy-process.ts';

describe('the certificate authority', () => {
  let confdir: string;
  beforeEach(() => {
    confdir = path.join(makeFolder(), 'conf');
  });
  afterEach(() => rmSync(path.dirname(confdir), { recursive: true }));

  it('is made once, with a key that only its owner can read, and kept', async () => {
    const made = await loadCertificateAuthority(confdir);
    assert.equal(made.created, true);
    assert.equal(statSync(path.join(confdir, 'ca.key')).mode & 0o777, 0o600);
    assert.ok(new X509Certificate(made.cert).ca);
    const kept = await loadCertificateAuthority(confdir);
    assert.deepEqual(kept, { ...made, created: false });
  });

  it('may be the administrator’s own, also with an elliptic key', async () => {
    const { cert, key } = await makeAuthority('Own CA');
    await loadCertificateAuthority(confdir);
    writeFileSync(path.join(confdir, 'ca.pem'), cert);
    writeFileSync(path.join(confdir, 'ca.key'), key);
    assert.equal((await loadCertificateAuthority(confdir)).cert, cert);
  });

  it('is refused with a key that cannot sign what clients accept', async () => {
    const { cert, key } = await makeAuthority('Edwards CA', { name: 'Ed25519' });
    await loadCertificateAuthority(confdir);
    writeFileSync(path.join(confdir, 'ca.pem'), cert);
    writeFileSync(path.join(confdir, 'ca.key'), key);
    await assert.rejects(loadCertificateAuthority(confdir), {
      code: 'caUnreadable',
      message: /ca\.key is of type ed25519; it has to be RSA, or of a curve of NIST's/,
    });
  });

  for (const [what, file, text] of [
    ['a certificate that is none', 'ca.pem', 'nonsense'],
    ['an empty key', 'ca.key', ''],
    ['a key that is none', 'ca.key', '-----BEGIN PRIVATE KEY-----\nxxxx\n-----END PRIVATE KEY-----\n'],
  ] as const) {
    it(`is refused, and left as it is, with ${what}`, async () => {
      await loadCertificateAuthority(confdir);
      writeFileSync(path.join(confdir, file), text);
      await assert.rejects(loadCertificateAuthority(confdir), { code: 'caUnreadable', message: new RegExp(confdir) });
    });
  }

  it('is refused when one of its files is missing: clients trust the other', async () => {
    await loadCertificateAuthority(confdir);
    rmSync(path.join(confdir, 'ca.key'));
    await assert.rejects(loadCertificateAuthority(confdir), { code: 'caUnreadable', message: /ENOENT.*ca\.key/ });
  });

  it('is refused when the key is another’s, when it has expired, or when it is no CA', async () => {
    const other = await makeCertificate(['example.com']);
    await loadCertificateAuthority(confdir);
    writeFileSync(path.join(confdir, 'ca.key'), other.key);
    await assert.rejects(loadCertificateAuthority(confdir), { message: /ca\.key does not belong to ca\.pem/ });
    writeFileSync(path.join(confdir, 'ca.pem'), other.cert);
    await assert.rejects(loadCertificateAuthority(confdir), { message: /is no CA certificate/ });
  });
});
