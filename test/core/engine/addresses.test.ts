import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseAbsoluteForm, parseAuthority, parseTarget } from '../../../core/engine/authority.ts';
import { applyConnectTo, parseConnectTo } from '../../../core/engine/connect-to.ts';
import { Dialer, isPrivate } from '../../../core/engine/dialer.ts';
import { COPILOT_HOSTS, COPILOT_TELEMETRY_HOSTS, type HostPatterns, judgeHost } from '../../../core/engine/hosts.ts';

describe('an authority', () => {
  for (const [text, expected] of [
    ['Example.COM:443', { host: 'example.com', port: 443 }],
    ['example.com.:443', { host: 'example.com', port: 443 }],
    ['[::1]:80', { host: '::1', port: 80 }],
    ['10.0.0.1:1', { host: '10.0.0.1', port: 1 }],
  ] as const) {
    it(`is read from ${text}`, () => assert.deepEqual(parseAuthority(text), expected));
  }

  for (const text of [
    '',
    'a',
    'a:',
    ':443',
    '.:443',
    'a:0',
    'a:65536',
    'a:443/',
    'u@a:1',
    '::1:443',
    'a b:1',
    '[x]:1',
    '[cafe]:1',
    '[....]:1',
    'a..:1',
    'a:4 3',
    'a:b:1',
  ]) {
    it(`is none in "${text}"`, () => assert.equal(parseAuthority(text), undefined));
  }
});

describe('an absolute form', () => {
  for (const [url, target, path] of [
    ['http://a.com', 'a.com:80', '/'],
    ['HTTP://A.com:8080/x/../y?q=%20#frag', 'a.com:8080', '/x/../y?q=%20'],
    ['http://a.com?q', 'a.com:80', '/?q'],
    ['http://[::1]/x', '::1:80', '/x'],
  ] as const) {
    it(`is ${target} and ${path} in ${url}`, () => {
      const parsed = parseAbsoluteForm(url, 'GET');
      assert.equal(`${parsed?.target.host}:${parsed?.target.port}`, target);
      assert.equal(parsed?.path, path);
    });
  }

  it('is for the server as a whole where OPTIONS has no path', () => {
    assert.equal(parseAbsoluteForm('http://a.com', 'OPTIONS')?.path, '*');
    assert.equal(parseAbsoluteForm('http://a.com/', 'OPTIONS')?.path, '/');
    assert.equal(parseAbsoluteForm('http://a.com?q', 'OPTIONS')?.path, '/?q');
  });

  for (const url of [
    '/',
    '*',
    'https://a.com/',
    'ftp://a.com/',
    'http:///x',
    'http://u:p@a.com/',
    'http://a.com:99999/',
  ]) {
    it(`is none in ${url}`, () => assert.equal(parseAbsoluteForm(url, 'GET'), undefined));
  }
});

describe('what a request in a tunnel asks for', () => {
  for (const [method, url, expected] of [
    ['GET', '/a?b#c', '/a?b#c'],
    ['GET', '//a', '//a'],
    ['OPTIONS', '*', '*'],
    ['GET', '*', undefined],
    ['GET', 'https://a.com/b?c#d', '/b?c'],
    ['GET', 'https://a.com', '/'],
    ['GET', 'HTTP://a.com?b', '/?b'],
    ['OPTIONS', 'https://a.com', '*'],
    ['OPTIONS', 'https://a.com/', '/'],
    ['GET', 'https:///a', undefined],
    ['GET', 'ftp://a.com/', undefined],
    ['GET', 'a', undefined],
    ['GET', '', undefined],
  ] as const) {
    it(`is ${expected} in ${method} ${url}`, () => assert.equal(parseTarget(url, method), expected));
  }
});

describe('--connect-to', () => {
  const to = (rules: readonly string[], host: string, port: number) => {
    const { redirected, ...target } = applyConnectTo(rules.map(parseConnectTo), { host, port });
    return [target.host, target.port, redirected];
  };

  it('matches any host and port that it leaves out, and keeps those that it does not set', () => {
    assert.deepEqual(to(['::127.0.0.1:9'], 'a.com', 443), ['127.0.0.1', 9, true]);
    assert.deepEqual(to(['a.com::b.com:'], 'a.com', 443), ['b.com', 443, true]);
    assert.deepEqual(to([':443::8443'], 'a.com', 443), ['a.com', 8443, true]);
    assert.deepEqual(to(['A.com:443:[::1]:1'], 'a.com', 443), ['::1', 1, true]);
  });

  it('leaves others alone; the first that matches counts', () => {
    assert.deepEqual(to(['a.com:443:x:1', 'b.com:443:y:2'], 'b.com', 443), ['y', 2, true]);
    assert.deepEqual(to(['a.com:443:x:1'], 'a.com', 80), ['a.com', 80, false]);
    assert.deepEqual(to(['::x:1', '::y:2'], 'a', 1), ['x', 1, true]);
  });

  for (const text of ['', 'a', 'a:1', 'a:1:b', 'a:x:b:1', 'a:1:b:99999', '::1:443:b:1']) {
    it(`refuses "${text}"`, () => assert.throws(() => parseConnectTo(text), { code: 'connectToInvalid' }));
  }
});

describe('the hosts that are looked into', () => {
  const intercepted = (host: string, port = 443) =>
    judgeHost({ allow: COPILOT_HOSTS, ignore: COPILOT_TELEMETRY_HOSTS }, [{ host, port }]) === 'allowed';

  for (const host of [
    ...['api.githubcopilot.com', 'api.individual.githubcopilot.com', 'proxy.enterprise.githubcopilot.com'],
    ...['copilot-proxy.githubusercontent.com', 'githubcopilot.com'],
  ]) {
    it(`include ${host}`, () => assert.ok(intercepted(host)));
  }

  for (const host of [
    ...[
      'github.com',
      'api.github.com',
      'evilgithubcopilot.com',
      'githubcopilot.com.evil.com',
      'telemetry.business.githubcopilot.com',
    ],
    ...['copilot-telemetry.githubusercontent.com', 'xcopilot-proxy.githubusercontent.com'],
  ]) {
    it(`do not include ${host}`, () => assert.ok(!intercepted(host)));
  }

  it('are those on their port only, in any case, whatever the flags of the pattern', () => {
    assert.ok(!intercepted('api.githubcopilot.com', 8443));
    const patterns = { allow: [/example/gi], ignore: [] };
    for (let i = 0; i < 3; i++) assert.ok(judgeHost(patterns, [{ host: 'example.com', port: 1 }]) === 'allowed');
  });
});

describe('a host with several names', () => {
  const patterns = { allow: [/good/], ignore: [/bad/] };
  const judged = (given: HostPatterns, ...hosts: readonly string[]) =>
    judgeHost(
      given,
      hosts.map((host) => ({ host, port: 443 })),
    );

  it('is allowed by any of them, and ignored by any of them before that', () => {
    assert.equal(judged(patterns, '1.2.3.4', 'good.com'), 'allowed');
    assert.equal(judged(patterns, 'good.com', 'other.com'), 'allowed');
    assert.equal(judged(patterns, 'good.com', 'bad.com'), 'ignored');
    assert.equal(judged(patterns, 'bad.com', 'good.com'), 'ignored');
    assert.equal(judged(patterns, '1.2.3.4', 'other.com'), 'unlisted');
  });

  it('cannot be allowed when nothing is', () => {
    assert.equal(judged({ allow: [], ignore: [] }, 'a.com'), 'ignored');
  });
});

describe('private addresses', () => {
  for (const address of [
    ...[
      '127.0.0.1',
      '127.9.9.9',
      '0.0.0.0',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.0.1',
      '169.254.169.254',
    ],
    ...['100.64.0.1', '224.0.0.1', '255.255.255.255', '::1', '::', 'fe80::1', 'fe80::1%eth0', 'fd00::1', 'ff02::1'],
    ...['::ffff:127.0.0.1', '::ffff:10.0.0.1'],
  ]) {
    it(`are ${address}`, () => assert.ok(isPrivate(address)));
  }

  for (const address of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '::ffff:8.8.8.8']) {
    it(`are not ${address}`, () => assert.ok(!isPrivate(address)));
  }

  it('are not connected to, under their address or under a name, unless that is allowed or --connect-to says so', async () => {
    const guarded = new Dialer({ connectTo: [], allowPrivateTargets: false });
    for (const host of ['127.0.0.1', '::1', 'localhost']) {
      await assert.rejects(async () => guarded.connect({ host, port: 9 }), { code: 'privateTarget' }, host);
    }
    const open = new Dialer({ connectTo: [], allowPrivateTargets: true });
    await assert.rejects(open.connect({ host: 'localhost', port: 1 }), /ECONNREFUSED|AggregateError/);
    const redirected = new Dialer({ connectTo: [parseConnectTo('::127.0.0.1:1')], allowPrivateTargets: false });
    await assert.rejects(redirected.connect({ host: 'example.com', port: 443 }), { code: 'ECONNREFUSED' });
  });
});
