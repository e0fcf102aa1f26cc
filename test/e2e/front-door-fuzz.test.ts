import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import net from 'node:net';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { type RawAnswer, readAnswers } from '../answers.ts';
import { basic, curl } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';

/** Another one finds other things: `FUZZ_SEED=1 npm test -- fuzz`. */
const SEED = Number(process.env.FUZZ_SEED ?? 20_261_124);
/** For each kind of bytes. */
const FUZZ_MS = Number(process.env.FUZZ_MS ?? 2_500);
const AT_ONCE = 8;

/** So long may it take until the proxy has closed a connection that its client has ended. */
const CLOSE_LIMIT_MS = 5_000;

// ------------------------------------------------------------------------------------------------------------ the bytes

const METHODS = ['GET', 'get', 'POST', 'pOST', 'CONNECT', 'connect', 'OPTIONS', 'HEAD', 'PRI', 'M-SEARCH', 'X', ''];
const TARGETS = [
  'http://example.com/x',
  'HTTP://EXAMPLE.COM:80',
  'http://user:password@example.com/',
  'http://[::1]:80/',
  'http://example.com:99999/',
  'https://example.com/',
  'example.com:443',
  'api.githubcopilot.com:443',
  '[::1]:443',
  'example.com:0',
  'example.com',
  '/',
  '*',
  '',
  'http://',
  '//example.com/',
  `http://example.com/${'x'.repeat(70_000)}`,
];
const VERSIONS = [
  ' HTTP/1.1',
  ' HTTP/1.1',
  ' HTTP/1.1',
  ' HTTP/1.0',
  ' HTTP/2.0',
  ' HTTP/0.9',
  ' http/1.1',
  ' HTTP/1.',
  '',
];
const FIELDS = [
  'Content-Length: 5',
  'Content-Length: 6',
  'Content-Length: -1',
  'Content-Length: 99999999999999999999',
  'Content-Length: 5, 5',
  'Transfer-Encoding: chunked',
  'Transfer-Encoding: chunked, identity',
  'Transfer-Encoding : chunked',
  'Connection: close',
  'Connection: Upgrade\r\nUpgrade: websocket',
  'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__',
  'Expect: 100-continue',
  'Proxy-Authorization: Basic !!!',
  'Proxy-Authorization: Bearer x',
  `Proxy-Authorization: Basic ${Buffer.from('alice:wrong').toString('base64')}`,
  'X: y\r\n folded',
  'X: a\nY: b',
  'X: a\rY: b',
  'X: a\0b',
  'X\0: a',
  'X',
  ': x',
  `X: ${'x'.repeat(70_000)}`,
  'X: y\r\n'.repeat(3_000).trimEnd(),
];
const BODIES = [
  '',
  'hello',
  '5\r\nhello\r\n0\r\n\r\n',
  '5;x\r\nhello\r\n0\r\n\r\n',
  'fffffffffffffffff\r\nx',
  '-1\r\n',
  '5\nhello\n',
];
/** What other protocols begin with: HTTP/2, TLS, SOCKS, SSH. */
const STRANGERS = [
  'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0',
  `\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03${'\x2a'.repeat(508)}`,
  '\x05\x01\0',
  '\x04\x01\0\x50\x7f\0\0\x01\0',
  'SSH-2.0-OpenSSH_9.6\r\n',
  '\r\n\r\n\r\n',
];

/** One request, more or less; `more` are fields that it has in any case. */
function request(more: readonly string[]): fc.Arbitrary<string> {
  return fc
    .tuple(
      fc.constantFrom(...METHODS),
      fc.constantFrom(...TARGETS),
      fc.constantFrom(...VERSIONS),
      fc.array(fc.constantFrom(...FIELDS), { maxLength: 3 }),
      fc.constantFrom(...BODIES),
    )
    .map(([method, target, version, fields, body]) => {
      const head = [`${method} ${target}${version}`, 'Host: example.com', ...more, ...fields].join('\r\n');
      return `${head}\r\n\r\n${body}`;
    });
}

/** Changes to a text: a byte put somewhere, or some taken out; the place is a part of its length. */
const damage = fc.array(
  fc.tuple(
    fc.double({ min: 0, max: 1, noNaN: true }),
    fc.nat(3),
    fc.oneof(
      fc.constantFrom('', '\n', '\r', '\0', ':', ' ', '\t', '\x7f', '\xff'),
      fc.string({ unit: 'binary-ascii', maxLength: 2 }),
    ),
  ),
  { maxLength: 3 },
);

function damaged(text: string, changes: readonly (readonly [number, number, string])[]): string {
  return changes.reduce((whole, [part, gone, put]) => {
    const place = Math.floor(part * whole.length);
    return whole.slice(0, place) + put + whole.slice(place + gone);
  }, text);
}

/** What a client sends, and how: all of it at once, byte by byte, or in two parts of which the second may never come. */
interface Sending {
  readonly bytes: string;
  readonly how: 'whole' | 'bytewise' | 'halves' | 'cut' | 'reset';
}

/** No more of it is sent byte by byte. */
const MAX_BYTEWISE = 300;

function sending(more: readonly string[]): fc.Arbitrary<Sending> {
  const mutated = fc.tuple(request(more), damage).map(([text, changes]) => damaged(text, changes));
  const bytes = fc.oneof(
    { weight: 5, arbitrary: request(more) },
    { weight: 5, arbitrary: mutated },
    { weight: 2, arbitrary: fc.array(request(more), { minLength: 2, maxLength: 4 }).map((all) => all.join('')) },
    { weight: 1, arbitrary: fc.constantFrom(...STRANGERS) },
    {
      weight: 1,
      arbitrary: fc.uint8Array({ minLength: 1, maxLength: 200 }).map((all) => Buffer.from(all).toString('latin1')),
    },
  );
  return fc.record({ bytes, how: fc.constantFrom('whole', 'whole', 'bytewise', 'halves', 'cut', 'reset') });
}

/** Sends it, ends the connection, and returns what came back until the proxy had closed it too. */
async function send(port: number, { bytes, how }: Sending): Promise<string> {
  const socket = net.connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  let received = '';
  socket.on('error', () => {});
  socket.setEncoding('latin1').on('data', (text) => {
    received += text;
  });
  const closed = new Promise<boolean>((resolve) => {
    const timer = setTimeout(resolve, CLOSE_LIMIT_MS, false);
    socket.once('close', () => {
      clearTimeout(timer);
      resolve(true);
    });
  });
  const half = Math.floor(bytes.length / 2);
  if (how === 'bytewise') {
    for (const byte of bytes.slice(0, MAX_BYTEWISE)) {
      socket.write(byte, 'latin1');
      await turn();
    }
    socket.write(bytes.slice(MAX_BYTEWISE), 'latin1');
  } else if (how === 'halves') {
    socket.write(bytes.slice(0, half), 'latin1');
    await sleep(2);
    socket.write(bytes.slice(half), 'latin1');
  } else {
    socket.write(how === 'whole' ? bytes : bytes.slice(0, half), 'latin1');
  }
  if (how === 'reset') {
    await sleep(1);
    socket.resetAndDestroy();
  } else socket.end();
  if (!(await closed)) {
    socket.destroy();
    throw new Error(`not closed within ${CLOSE_LIMIT_MS} ms; it answered ${JSON.stringify(received.slice(0, 500))}`);
  }
  return received;
}

// ------------------------------------------------------------------------------------------------------------- the tests

/** A refusal is short, says whose it is, and tells nothing of our inside. */
function checkRefusal(answer: RawAnswer): void {
  const { status, headers, body } = answer;
  assert.ok(status >= 400 && status < 600, `${status}`);
  assert.ok(headers.has('x-insight-dump') || headers.has('proxy-authenticate'), `${status}: ${body}`);
  assert.ok(body.length < 300, body);
  assert.doesNotMatch(body, /\n {4}at |Error:|node:|\.[jt]s\b|node_modules|mockttp|undefined|127\.0\.0\.1/i);
}

describe('hostile bytes at the front door', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  let filesBefore = 0;

  const openFiles = () => readdirSync(`/proc/${proxy.pid}/fd`).length;
  const login = () => `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;

  /** Sends such bytes for a while, several at once. What fails is made smaller, and told with its seed. */
  const fuzz = (more: readonly string[], check: (received: string, sent: Sending) => void) =>
    fc.assert(
      fc.asyncProperty(fc.array(sending(more), { minLength: 1, maxLength: AT_ONCE }), async (all) => {
        const received = await Promise.all(all.map((each) => send(proxy.port, each)));
        for (const [i, text] of received.entries()) check(text, all[i] as Sending);
        assert.doesNotMatch(proxy.output, /unhandled error|❌/);
      }),
      { seed: SEED, numRuns: 100_000, interruptAfterTimeLimit: FUZZ_MS, markInterruptAsFailure: false },
    );

  before(async () => {
    fake = await startFakeCopilot();
    proxy = await ProxyProcess.start({ upstream: fake });
    filesBefore = openFiles();
  });
  after(async () => {
    await proxy?.stop();
    await fake?.close();
  });

  it('without credentials get short refusals in proper HTTP, and nothing of them goes upstream', async () => {
    await fuzz([], (received) => {
      for (const answer of readAnswers(received)) if (answer.status !== 100) checkRefusal(answer);
    });
    assert.equal(fake.connections, 0);
  });

  it('with credentials get proper HTTP', async () => {
    await fuzz([login()], (received) => void readAnswers(received));
  });

  it('leave a proxy that serves the next client', async () => {
    const { stdout } = await curl(proxy, 'alice', '-w', ' %{http_code}', '-o', '/dev/null', 'http://example.com/good');
    assert.equal(stdout, ' 200');
    assert.equal(fake.requests.at(-1)?.path, '/good');
  });

  it('leave no open sockets behind', { skip: process.platform !== 'linux' }, async () => {
    await eventually(
      () => `${filesBefore} open files; there are ${openFiles()}`,
      // Logs may have been opened meanwhile.
      () => openFiles() <= filesBefore + 3,
    );
  });
});
