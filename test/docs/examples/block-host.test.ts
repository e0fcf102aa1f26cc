import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { makeTunnel } from '../../kit.ts';
import { startExample } from '../example.ts';

describe('block-host', () => {
  for (const [what, hosts, host, decision] of [
    ['denies a host of its list', ['example.com'], 'example.com', 'deny'],
    ['denies subdomains too', ['example.com'], 'a.b.example.com', 'deny'],
    ['denies each host of a longer list', ['example.com', 'example.org'], 'example.org', 'deny'],
    ['lets other hosts through', ['example.com'], 'example.org', 'intercept'],
    ['lets through what only ends alike', ['example.com'], 'badexample.com', 'intercept'],
    ['lets through what only begins alike', ['example.com'], 'example.com.evil.org', 'intercept'],
    ['lets the parent domain through', ['a.example.com'], 'example.com', 'intercept'],
    ['takes a host in capitals', ['Example.COM'], 'example.com', 'deny'],
    ['takes a host with a last dot', ['example.com.'], 'example.com', 'deny'],
    ['takes a wildcard', ['*.example.com'], 'a.example.com', 'deny'],
    ['takes a host in other letters', ['münchen.example'], 'xn--mnchen-3ya.example', 'deny'],
    ['takes an address', ['10.0.0.1'], '10.0.0.1', 'deny'],
    ['denies nothing without a list', [], 'example.com', 'intercept'],
  ] as const) {
    it(what, async (t) => {
      const example = await startExample(t, 'block-host', { hosts });
      assert.equal((await example.connect(makeTunnel({ host }))).decision, decision);
    });
  }

  it('denies what would be passed on blindly', async (t) => {
    const example = await startExample(t, 'block-host', { hosts: ['example.com'] });
    const tunnel = await example.connect(makeTunnel({ host: 'example.com', decision: 'passthrough' }));
    assert.equal(tunnel.decision, 'deny');
  });

  it('tells the client why, with a 403', async (t) => {
    const example = await startExample(t, 'block-host', { hosts: ['example.com'] });
    const { answer } = await example.connect(makeTunnel({ host: 'www.example.com' }));
    assert.deepEqual(answer, { status: 403, body: 'insight-dump: www.example.com is blocked here.\n' });
  });

  it('says on the log who was kept from what', async (t) => {
    const example = await startExample(t, 'block-host', { hosts: ['example.com'] });
    await example.connect(makeTunnel({ host: 'example.com', address: '10.0.0.7' }));
    assert.deepEqual(example.log.of('info'), ['🚫 10.0.0.7 was kept from example.com']);
  });

  it('takes over a changed list', async (t) => {
    const example = await startExample(t, 'block-host', { hosts: ['example.com'] });
    await example.configure({ hosts: ['example.org'] });
    assert.equal((await example.connect(makeTunnel({ host: 'example.com' }))).decision, 'intercept');
  });

  for (const host of ['', 'a b', 'https://example.com', 'example.com:443']) {
    it(`refuses ${JSON.stringify(host)} for a host`, async (t) => {
      await assert.rejects(startExample(t, 'block-host', { hosts: [host] }), { message: /not a name of a host/ });
    });
  }
});
