import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { describe, it } from 'node:test';
import { type RawAnswer, readAnswers } from '../answers.ts';
import { basic, openTunnel } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import type { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

/**
 * What comes after a request's first line and `Host`. `means` is its body where all who read it agree on it; without
 * one, two servers could see different requests, and it must be refused.
 */
interface Shape {
  readonly name: string;
  readonly version?: '1.0';
  readonly fields: readonly string[];
  readonly body?: string;
  readonly means?: string;
}

/** What must never arrive as a request. */
const SMUGGLED = 'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n';
const LENGTH = 'Content-Length: 5';
const CHUNKED = 'Transfer-Encoding: chunked';
const CHUNKS = '5\r\nhello\r\n0\r\n\r\n';

const refused = (name: string, fields: readonly string[], body = CHUNKS): Shape => ({ name, fields, body });
const clear = (name: string, fields: readonly string[], body = CHUNKS, means = 'hello'): Shape => ({
  name,
  fields,
  body,
  means,
});

const SHAPES: readonly Shape[] = [
  // Two framings in one head.
  refused('a length and chunks', ['Content-Length: 4', CHUNKED], `0\r\n\r\n${SMUGGLED}`),
  refused('chunks and a length', [CHUNKED, 'Content-Length: 4'], `0\r\n\r\n${SMUGGLED}`),
  refused('a length over all, and chunks', [`Content-Length: ${5 + SMUGGLED.length}`, CHUNKED], `0\r\n\r\n${SMUGGLED}`),
  refused('two lengths that differ', [LENGTH, `Content-Length: ${5 + SMUGGLED.length}`], `hello${SMUGGLED}`),
  clear('two lengths that are equal', [LENGTH, LENGTH], 'hello'),
  clear('a list of equal lengths', ['Content-Length: 5, 5'], 'hello'),
  { ...refused('chunks and a length in HTTP/1.0', [LENGTH, CHUNKED]), version: '1.0' },
  { ...clear('chunks in HTTP/1.0', [CHUNKED]), version: '1.0' },

  // Lengths that some read and others do not.
  ...['+5', '-5', '5 5', '0x5', '5,6', '', '5;', '5.0', '99999999999999999999', '18446744073709551621'].map((value) =>
    refused(`a length of "${value}"`, [`Content-Length: ${value}`], `hello${SMUGGLED}`),
  ),
  clear('a length with zeros before it', ['Content-Length: 005'], 'hello'),
  clear('a length among blanks', ['Content-Length: \t 5 \t'], 'hello'),
  refused('a length, with a blank before the colon', ['Content-Length : 5'], 'hello'),
  clear('a length that Connection names', ['Connection: Content-Length', LENGTH], 'hello'),
  clear('chunks that Connection names', ['Connection: Transfer-Encoding', CHUNKED]),

  // Codings that some take for chunked and others do not.
  ...[
    ' chunked, identity',
    ' chunked, gzip',
    ' chunked,chunked',
    ' xchunked',
    ' chunkedx',
    ' "chunked"',
    ' \x0bchunked',
    ' chunked;q=1',
    ' identity',
  ].map((value) => refused(`a coding of${JSON.stringify(value)}`, [`Transfer-Encoding:${value}`])),
  refused('a coding, with a blank before the colon', ['Transfer-Encoding : chunked']),
  refused('a coding, with a tab before the colon', ['Transfer-Encoding\t: chunked']),
  refused('a coding named twice', [CHUNKED, CHUNKED]),
  refused('chunks, and another coding after them', [CHUNKED, 'Transfer-Encoding: gzip']),
  refused('a coding of identity, and a length', ['Transfer-Encoding: identity', LENGTH], 'hello'),
  clear('a coding with a tab before it', ['Transfer-Encoding:\tchunked']),
  clear('a coding in capitals', ['TRANSFER-ENCODING: CHUNKED']),

  // Lines.
  refused('a folded field', ['X-A: b', ' c', LENGTH], 'hello'),
  refused('a folded coding', ['Transfer-Encoding:', ' chunked']),
  refused('a folded length', ['Content-Length:', '\t5'], 'hello'),
  refused('a field that is ended by a bare LF', [`X-A: b\n${LENGTH}`], 'hello'),
  refused('a field that is ended by a bare CR', [`X-A: b\r${LENGTH}`], 'hello'),
  refused('a head that is ended by a bare LF', [`${LENGTH}\r\n\nhello${SMUGGLED}`]),
  refused('a NUL in a value', ['X-A: b\0c', LENGTH], 'hello'),
  refused('a NUL in a name', ['X\0A: b', LENGTH], 'hello'),
  refused('a field without a colon', ['X-A', LENGTH], 'hello'),
  refused('a field without a name', [': b', LENGTH], 'hello'),

  // Chunks.
  clear('a chunk with an extension', [CHUNKED], '5;a="b"\r\nhello\r\n0\r\n\r\n'),
  clear('chunk sizes with zeros before them', [CHUNKED], '0005\r\nhello\r\n000\r\n\r\n'),
  clear('trailers', [CHUNKED, 'Trailer: X-Sum'], '5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n'),
  refused('a huge chunk extension', [CHUNKED], `5;${'x'.repeat(100_000)}\r\nhello\r\n0\r\n\r\n`),
  refused('a chunk extension with a bare LF', [CHUNKED], `5;a\nhello\r\n0\r\n\r\n${SMUGGLED}`),
  refused('a chunk extension with a bare CR', [CHUNKED], `5;a\rb\r\nhello\r\n0\r\n\r\n`),
  ...['10000000000000005', 'fffffffffffffffff', '-5', '+5', '0x5', '5 ', ' 5', '5g', ''].map((size) =>
    refused(`a chunk size of "${size}"`, [CHUNKED], `${size}\r\nhello\r\n0\r\n\r\n${SMUGGLED}`),
  ),
  refused('a chunk longer than its size', [CHUNKED], `5\r\nhelloXX\r\n0\r\n\r\n${SMUGGLED}`),
  refused('a chunk without an end', [CHUNKED], `5\r\nhello0\r\n\r\n${SMUGGLED}`),
  refused('chunks with bare LF', [CHUNKED], `5\nhello\n0\n\n${SMUGGLED}`),
  refused('a length among the trailers', [CHUNKED], `5\r\nhello\r\n0\r\nContent-Length: 30\r\n\r\n${SMUGGLED}`),
];

/** A connection of either kind, and what has come back on it. */
class Line {
  #received = '';

  constructor(readonly socket: net.Socket) {
    socket.on('error', () => {});
    socket.setEncoding('latin1').on('data', (text) => {
      this.#received += text;
    });
  }

  /** Sends bytes, and waits for the answer, or for the end. */
  async ask(bytes: string): Promise<RawAnswer | undefined> {
    this.#received = '';
    this.socket.write(bytes, 'latin1');
    for (;;) {
      const final = readAnswers(this.#received).find(({ status, whole }) => status >= 200 && whole);
      if (final !== undefined || this.isClosed) return final;
      await Promise.race(['data', 'end', 'close'].map((event) => once(this.socket, event)));
    }
  }

  get isClosed(): boolean {
    return this.socket.destroyed || this.socket.readableEnded;
  }

  async closed(): Promise<void> {
    while (!this.isClosed) await Promise.race(['end', 'close'].map((event) => once(this.socket, event)));
  }
}

describe('a request that two servers could read differently', () => {
  let fake: FakeCopilot;
  let proxy: ProxyProcess;
  setStage({}, undefined, (stage) => {
    ({ fake, proxy } = stage);
  });

  const WAYS = {
    'to http://': {
      open: async () => {
        const socket = net.connect(proxy.port, '127.0.0.1');
        await once(socket, 'connect');
        return new Line(socket);
      },
      target: 'http://example.com',
      fields: () => [`Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`],
    },
    'in a tunnel': {
      open: async () => new Line(await openTunnel(proxy, 'alice', API_HOST)),
      target: '',
      fields: () => [],
    },
  };

  const seenSince = (count: number) => fake.requests.slice(count);

  for (const [where, way] of Object.entries(WAYS)) {
    const head = (method: string, path: string, fields: readonly string[], version = '1.1') =>
      `${[`${method} ${way.target}${path} HTTP/${version}`, 'Host: example.com', ...way.fields(), ...fields].join('\r\n')}\r\n\r\n`;

    for (const { name, version, fields, body = '', means } of SHAPES) {
      it(`is ${means === undefined ? 'refused' : 'refused, or read in one way'}, ${where}: ${name}`, async () => {
        const before = fake.requests.length;
        const line = await way.open();
        const answer = await line.ask(head('POST', '/shape', fields, version) + body);
        if (answer?.status === 200 && means !== undefined) {
          assert.deepEqual(
            seenSince(before).map((seen) => [seen.path, seen.body.toString()]),
            [['/shape', means]],
          );
          // Both sides are at the same place on the connection, or it is no longer there.
          if (version === undefined) assert.equal((await line.ask(head('GET', '/next', [])))?.status, 200);
        } else {
          assert.match(String(answer?.status), /^4(?:00|13)$/);
          await line.closed();
          assert.deepEqual(
            seenSince(before).filter(({ end }) => end === 'finished'),
            [],
          );
        }
        line.socket.destroy();
        // Nothing was left on the connection to the server, which others use next.
        const between = fake.requests.length;
        const other = await way.open();
        assert.equal((await other.ask(head('GET', '/after', [])))?.status, 200);
        other.socket.destroy();
        assert.deepEqual(
          seenSince(between).map((seen) => [seen.method, seen.path, seen.body.toString()]),
          [['GET', '/after', '']],
        );
      });
    }
  }
});
