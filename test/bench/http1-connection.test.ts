import assert from 'node:assert/strict';
import { Duplex } from 'node:stream';
import { describe, it } from 'node:test';
import type tls from 'node:tls';
import type { Ask } from './asks.ts';
import { Http1Connection } from './http1-connection.ts';

const BODY = 'data: one\n\ndata: two\n\n';
const WITH_LENGTH = `HTTP/1.1 200 OK\r\nContent-Length: ${BODY.length}\r\n\r\n${BODY}`;
const CHUNKED = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nb\r\n${BODY.slice(0, 11)}\r\nB\r\n${BODY.slice(11)}\r\n0\r\n\r\n`;
const ASK: Ask = {
  host: 'a.example',
  path: '/x',
  headers: { 'content-length': '2' },
  body: Buffer.from('{}'),
  answerBytes: 22,
};

/** A socket that takes what is written, and answers with these pieces each time. */
function socketOf(pieces: readonly string[], written: string[] = []): tls.TLSSocket {
  const socket = new Duplex({
    read() {},
    write(bytes, _encoding, done) {
      written.push(String(bytes));
      for (const piece of pieces) socket.push(piece);
      done();
    },
  });
  return socket as tls.TLSSocket;
}

describe('a connection of HTTP/1.1 for measuring', () => {
  for (const [how, answer] of [
    ['with a length', WITH_LENGTH],
    ['in chunks', CHUNKED],
  ] as const) {
    it(`takes answers ${how}, wherever they are cut, one after another`, async () => {
      for (let cut = 1; cut < answer.length; cut++) {
        const tally = { exchanges: 0 };
        const connection = new Http1Connection(socketOf([answer.slice(0, cut), answer.slice(cut)]), tally);
        for (let i = 0; i < 2; i++) {
          let body = '';
          await connection.exchange(ASK, (piece) => {
            body += piece;
          });
          assert.equal(body, BODY, `cut at ${cut}`);
        }
        assert.equal(tally.exchanges, 2);
      }
    });
  }

  it('sends head and body', async () => {
    const written: string[] = [];
    await new Http1Connection(socketOf([WITH_LENGTH], written), { exchanges: 0 }).exchange(ASK);
    assert.deepEqual(written, ['POST /x HTTP/1.1\r\nhost: a.example\r\ncontent-length: 2\r\n\r\n{}']);
  });

  for (const [what, answer, reason] of [
    ['another status', WITH_LENGTH.replace('200 OK', '502 Bad Gateway'), /an answer 502 of 22 bytes; 22 were to come/],
    ['a shorter body', 'HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx', /an answer 200 of 1 bytes/],
    ['no body', 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n', /an answer 200 of 0 bytes/],
    ['no length', 'HTTP/1.1 200 OK\r\n\r\nx', /no length/],
  ] as const) {
    it(`fails for ${what}, and counts nothing`, async () => {
      const tally = { exchanges: 0 };
      await assert.rejects(new Http1Connection(socketOf([answer]), tally).exchange(ASK), reason);
      assert.equal(tally.exchanges, 0);
    });
  }

  it('fails when the connection ends within an answer', async () => {
    const socket = socketOf([CHUNKED.slice(0, -3)]);
    const asked = new Http1Connection(socket, { exchanges: 0 }).exchange(ASK);
    setImmediate(() => socket.destroy());
    await assert.rejects(asked, /the connection was closed/);
  });
});
