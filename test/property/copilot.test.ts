import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import fc from 'fast-check';
import type { CopilotExchange } from '../../core/addon.ts';
import { endpointOf } from '../../core/copilot/endpoint.ts';
import { HttpReading } from '../../core/copilot/http-reading.ts';
import { type HttpFlow, HttpResponse } from '../../core/flow.ts';
import { Headers } from '../../core/headers.ts';
import { CHAT, COMPLETIONS, delta, MESSAGES, RESPONSES, text } from '../exchanges.ts';
import { messageEvents, messageOf } from '../fake-copilot-messages.ts';
import { responseEvents, responseOf, type Said } from '../fake-copilot-responses.ts';
import { makeFlow } from '../kit.ts';
import { chunked, content, cuts } from './arbitraries.ts';
import { ENCODERS, zstdStored } from './codings.ts';

const words = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 });
const said: fc.Arbitrary<Said> = fc.record({
  pieces: fc.array(words, { minLength: 1, maxLength: 6 }),
  calls: fc.array(
    fc.record({ name: fc.constantFrom('f', 'g'), arguments: fc.constantFrom(['{}'], ['{"a":', ' "é"}']) }),
    {
      maxLength: 2,
    },
  ),
  nanoCredits: fc.nat(),
});

interface Answer {
  readonly url: string;
  readonly events: readonly object[];
  readonly whole: object;
}

const USAGE = { prompt_tokens: 20, completion_tokens: 12, total_tokens: 32 };

/** What each protocol makes of it. */
const PROTOCOLS: readonly ((said: Said) => Answer)[] = [
  ({ pieces }) => ({
    url: COMPLETIONS,
    events: [
      ...pieces.flatMap((piece) => [text(0, piece), text(1, `1${piece}`)]),
      text(0, '', 'stop'),
      { usage: USAGE },
    ],
    whole: { choices: [{ index: 0, text: pieces.join(''), finish_reason: 'stop' }], usage: USAGE },
  }),
  ({ pieces, calls = [], nanoCredits }) => {
    const tool_calls = calls.map((call, index) => ({
      index,
      function: { ...call, arguments: call.arguments.join('') },
    }));
    return {
      url: CHAT,
      events: [
        ...pieces.map((piece) => delta(piece)),
        ...tool_calls.map((call) => delta(null, null, { tool_calls: [call] })),
        delta(null, 'stop'),
        { choices: [], usage: USAGE },
        { choices: [], copilot_usage: { total_nano_aiu: nanoCredits } },
      ],
      whole: {
        choices: [{ index: 0, message: { content: pieces.join(''), tool_calls }, finish_reason: 'stop' }],
        usage: USAGE,
      },
    };
  },
  (all) => ({ url: RESPONSES, events: responseEvents(all), whole: responseOf(all) }),
  (all) => ({ url: MESSAGES, events: messageEvents(all), whole: messageOf(all) }),
];

/** How a stream is written: with names of events, comments, any line end, or without its last one. */
const style = fc.record({
  end: fc.constantFrom('\n', '\r\n', '\r'),
  named: fc.boolean(),
  comments: fc.boolean(),
  tail: fc.constantFrom('', '[DONE]', 'unterminated'),
});

const answer = fc
  .tuple(said, fc.constantFrom(...PROTOCOLS), style, fc.boolean())
  .map(([all, protocol, { end, named, comments, tail }, streams]) => {
    const { url, events, whole } = protocol(all);
    if (!streams) return { url, body: JSON.stringify(whole) };
    const written = events.map((event) =>
      [
        ...(comments ? [': ping', ''] : []),
        ...(named ? ['event: x'] : []),
        `data: ${JSON.stringify(event)}`,
        '',
        '',
      ].join(end),
    );
    const body = written.join('') + (tail === '[DONE]' ? `data: [DONE]${end}${end}` : '');
    return { url, body: tail === 'unterminated' ? body.slice(0, -2 * end.length) : body };
  });

/** By `Content-Encoding`; case does not matter there, and tells raw deflate from that of zlib here. */
const CODINGS: Readonly<Record<string, (bytes: Buffer) => Buffer>> = {
  ...ENCODERS,
  Deflate: (bytes) => zlib.deflateRawSync(bytes),
  zstd: zstdStored,
  'gzip, br': (bytes) => ENCODERS.br(ENCODERS.gzip(bytes)),
  'zstd, deflate': (bytes) => ENCODERS.deflate(zstdStored(bytes)),
  'Deflate, zstd': (bytes) => zstdStored(zlib.deflateRawSync(bytes)),
  'br, zstd, gzip': (bytes) => ENCODERS.gzip(zstdStored(ENCODERS.br(bytes))),
};
const coding = fc.constantFrom(...Object.keys(CODINGS));
const contentType = fc.constantFrom('text/event-stream', 'application/json', 'text/event-stream; charset=utf-8', '');

const PART = fc.double({ min: 0, max: 1, noNaN: true });

/** What is decoded of a request and an answer, both of which pass in these chunks. */
async function read(url: string, chunks: readonly Buffer[], fields: Readonly<Record<string, string>>) {
  const flow: HttpFlow = makeFlow({ url, method: 'POST', headers: fields });
  const reading = new HttpReading(flow, endpointOf(flow.request.path) ?? assert.fail());
  reading.watchRequest();
  for (const chunk of chunks) flow.request.body.push(chunk);
  const headers = new Headers(Object.entries(fields));
  const response = new HttpResponse({ status: 200, statusText: '', headers, httpVersion: '1.1' }, 0);
  flow.response = response;
  reading.watchResponse();
  for (const chunk of chunks) response.body.push(chunk);
  return (await reading.exchange()) ?? assert.fail();
}

/** All of it but what depends on the clock. */
function timeless(exchange: CopilotExchange): object {
  const { id, startMs, endMs, firstTokenMs, tokensPerSecond, ...rest } = exchange;
  return rest;
}

describe('an answer of Copilot', () => {
  it('is the same exchange in whatever chunks it comes, in each protocol and coding', async () => {
    await fc.assert(
      fc.asyncProperty(answer, coding, contentType, cuts, async ({ url, body }, encoding, type, at) => {
        const wire = (CODINGS[encoding] as (bytes: Buffer) => Buffer)(Buffer.from(body));
        const headers = { 'content-encoding': encoding, 'content-type': type };
        const whole = timeless(await read(url, [Buffer.from(body)], { 'content-type': type }));
        assert.deepEqual(timeless(await read(url, chunked(wire, at), headers)), whole);
      }),
      { numRuns: 400 },
    );
  });

  it('is the same exchange byte by byte', async () => {
    await fc.assert(
      fc.asyncProperty(answer, coding, async ({ url, body }, encoding) => {
        const wire = (CODINGS[encoding] as (bytes: Buffer) => Buffer)(Buffer.from(body));
        const bytes = [...wire].map((byte) => Buffer.of(byte));
        const whole = timeless(await read(url, [Buffer.from(body)], {}));
        assert.deepEqual(timeless(await read(url, bytes, { 'content-encoding': encoding })), whole);
      }),
      { numRuns: 60 },
    );
  });

  it('has the beginning of what it says where it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(answer, coding, cuts, PART, async ({ url, body }, encoding, at, part) => {
        const wire = (CODINGS[encoding] as (bytes: Buffer) => Buffer)(Buffer.from(body));
        const whole = await read(url, [Buffer.from(body)], {});
        const cut = await read(url, chunked(wire.subarray(0, Math.floor(part * wire.length)), at), {
          'content-encoding': encoding,
        });
        for (const { index, text } of cut.choices) {
          const all = whole.choices.find((choice) => choice.index === index)?.text ?? assert.fail(`${index}`);
          assert.ok(all.startsWith(text), JSON.stringify([text, all]));
        }
      }),
      { numRuns: 400 },
    );
  });

  it('never throws, whatever bytes it is made of', async () => {
    const url = fc.constantFrom(CHAT, COMPLETIONS, RESPONSES, MESSAGES);
    const jsonLine = fc.json({ maxDepth: 4 }).map((json) => Buffer.from(`data: ${json}\n\n`));
    const wire = fc.oneof(
      content,
      jsonLine,
      fc.json().map((json) => Buffer.from(json)),
    );
    await fc.assert(
      fc.asyncProperty(url, wire, coding, contentType, cuts, async (to, bytes, encoding, type, at) => {
        const exchange = await read(to, chunked(bytes, at), { 'content-encoding': encoding, 'content-type': type });
        JSON.stringify(exchange);
      }),
      { numRuns: 600 },
    );
  });

  it('never throws, whatever is where something else is expected', async () => {
    const keys = [
      'choices',
      'delta',
      'message',
      'tool_calls',
      'function',
      'usage',
      'type',
      'response',
      'output',
      'item',
    ];
    const more = ['content', 'content_block', 'error', 'status', 'index', 'copilot_usage', 'copilot_quota_snapshots'];
    const types = ['response.completed', 'error', 'message', 'message_start', 'content_block_start', 'function_call'];
    const { tree } = fc.letrec((tie) => ({
      leaf: fc.oneof(fc.constantFrom(...types, 'response', 'tool_use', 'message'), fc.double(), fc.constant(null)),
      tree: fc.oneof(
        { depthSize: 'small', withCrossShrink: true },
        tie('leaf'),
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys, ...more), tie('tree'), { maxKeys: 5 }),
      ),
    }));
    const url = fc.constantFrom(CHAT, COMPLETIONS, RESPONSES, MESSAGES);
    await fc.assert(
      fc.asyncProperty(url, fc.array(tree, { maxLength: 5 }), fc.boolean(), async (to, values, streams) => {
        const body = streams
          ? values.map((value) => `data: ${JSON.stringify(value)}\n\n`).join('')
          : JSON.stringify(values[0]);
        JSON.stringify(await read(to, [Buffer.from(body ?? '')], {}));
      }),
      { numRuns: 2_000 },
    );
  });
});
