import assert from 'node:assert/strict';
import { X509Certificate } from 'node:crypto';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { type CertificateAuthority, loadCertificateAuthority } from '../../../core/engine/ca.ts';
import { LeafCertificates } from '../../../core/engine/leaf-certificates.ts';
import { makeAuthority } from '../../certificates.ts';
import { makeFolder } from '../../proxy-process.ts';

const DAY_MS = 86_400_000;

describe('certificates for the names that clients ask for', () => {
  let folder: string;
  let ca: CertificateAuthority;
  before(async () => {
    folder = makeFolder();
    ca = await loadCertificateAuthority(folder);
  });
  after(() => rmSync(folder, { recursive: true }));

  it('are made once for all that ask for a name at the same time, in whatever case, with a dot or without', async () => {
    const leaves = await LeafCertificates.of(ca);
    const contexts = await Promise.all(
      ['a.example.com', 'A.Example.COM', 'a.example.com.'].map((name) => leaves.contextFor(name)),
    );
    assert.equal(new Set(contexts).size, 1);
    assert.notEqual(contexts[0], undefined);
    assert.equal(leaves.size, 1);
  });

  it('are kept for so many names, those that were asked for longest ago going first', async () => {
    const leaves = await LeafCertificates.of(ca);
    const first = leaves.contextFor('first.example.com');
    const second = leaves.contextFor('second.example.com');
    for (let i = 0; i < 400; i += 1) {
      await leaves.contextFor(`${i}.example.com`);
      assert.equal(leaves.contextFor('first.example.com'), first);
    }
    assert.ok(leaves.size <= 300, `${leaves.size}`);
    assert.notEqual(leaves.contextFor('second.example.com'), second);
  });

  it('are renewed before they expire', async (t) => {
    t.mock.timers.enable({ apis: ['Date'], now: Date.now() });
    const leaves = await LeafCertificates.of(ca);
    const { cert } = await leaves.issue('a.example.com');
    const old = leaves.contextFor('a.example.com');
    const validUntilMs = new Date(new X509Certificate(cert).validTo).getTime();
    t.mock.timers.setTime(validUntilMs - 2 * DAY_MS);
    assert.equal(leaves.contextFor('a.example.com'), old);
    t.mock.timers.setTime(validUntilMs - DAY_MS / 2);
    assert.notEqual(leaves.contextFor('a.example.com'), old);
  });

  for (const [name, alternative] of [
    ['api.example.com', 'DNS:api.example.com'],
    ['under_score.example.com', 'DNS:under_score.example.com'],
    ['127.0.0.1', 'IP Address:127.0.0.1'],
    ['::1', 'IP Address:0:0:0:0:0:0:0:1'],
    [`${'x'.repeat(63)}.`.repeat(3).concat('y'.repeat(61)), undefined],
  ] as const) {
    it(`are by the CA, and for nothing but ${name}`, async () => {
      const certificate = new X509Certificate((await (await LeafCertificates.of(ca)).issue(name)).cert);
      assert.ok(certificate.checkIssued(new X509Certificate(ca.cert)));
      assert.ok(certificate.verify(new X509Certificate(ca.cert).publicKey));
      assert.equal(certificate.subjectAltName, alternative ?? `DNS:${name}`);
      assert.equal(certificate.ca, false);
      assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
    });
  }

  for (const name of [
    '',
    '.',
    'a..b',
    '.a',
    'a.b..',
    'a b',
    'a/b',
    '*.example.com',
    'ä.example',
    'a\0b',
    'a'.repeat(64),
  ]) {
    it(`are not made for ${JSON.stringify(name)}, which is no host`, async () => {
      assert.equal((await LeafCertificates.of(ca)).contextFor(name), undefined);
    });
  }

  it('are not made for a name that is too long', async () => {
    const leaves = await LeafCertificates.of(ca);
    assert.equal(leaves.contextFor('a.'.repeat(150)), undefined);
    assert.equal(leaves.size, 0);
  });

  it('come with that of the CA, by which clients may be told to accept them', async () => {
    const { cert } = await (await LeafCertificates.of(ca)).issue('a.example.com');
    const last = cert.slice(cert.lastIndexOf('-----BEGIN'));
    assert.equal(new X509Certificate(last).fingerprint256, new X509Certificate(ca.cert).fingerprint256);
  });

  it('can be by a CA with an elliptic key as well', async () => {
    const { key, cert } = await makeAuthority('Elliptic CA');
    const leaves = await LeafCertificates.of({ key, cert, certFile: '', created: false });
    const certificate = new X509Certificate((await leaves.issue('a.example.com')).cert);
    assert.ok(certificate.verify(new X509Certificate(cert).publicKey));
  });
});
