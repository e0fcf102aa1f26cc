import assert from 'node:assert/strict';
import http2 from 'node:http2';
import { describe, it } from 'node:test';
import { ask, openSession } from '../clients.ts';
import { TELL, told, toldNow } from '../exchange-telling.ts';
import { type FakeCopilot, SAMPLE_PIECES } from '../fake-copilot.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { setStage } from '../stage.ts';
import { config } from '../websockets.ts';

const TEXT = SAMPLE_PIECES.join('');

/** Does to a flow what the question says. */
const ACT = `
  import { defineAddon } from 'insight-dump';

  const OWN = { status: 200, headers: { 'content-type': 'application/json' }, body: JSON.stringify({
    choices: [{ index: 0, message: { content: 'from the addon' }, finish_reason: 'stop' }],
  }) };
  const does = (flow, word) => flow.request.headers.get('x-act') === word;

  export default defineAddon({
    requestHeaders(flow) {
      if (does(flow, 'edit')) flow.request.buffer();
      if (does(flow, 'respond')) flow.respond(OWN);
      if (does(flow, 'kill')) flow.kill();
      if (does(flow, 'respond-buffered')) flow.request.buffer();
      if (does(flow, 'transform'))
        flow.request.transform((chunk) => Buffer.from(chunk).toString('latin1').replace('hello', 'HELLO'));
    },
    request(flow) {
      if (does(flow, 'edit')) flow.request.body.set(flow.request.body.text().replace('hello', 'good day'));
      if (does(flow, 'respond-buffered')) flow.respond(OWN);
    },
    responseHeaders(flow) {
      if (does(flow, 'edit') || does(flow, 'replace')) flow.response.buffer();
      if (does(flow, 'respond-late')) flow.respond(OWN);
      if (does(flow, 'transform'))
        flow.response.transform((chunk) => Buffer.from(chunk).toString('latin1').replaceAll('return', 'RETURN'));
    },
    response(flow) {
      if (does(flow, 'edit')) flow.response.body.set(flow.response.body.text().replaceAll('return', 'give back'));
      if (does(flow, 'replace')) flow.respond(OWN);
    },
  });
`;

describe('an exchange', () => {
  let proxy: ProxyProcess;
  let fake: FakeCopilot;
  const addons = ['addons/auth.ts', 'act.ts', 'addons/filter.ts', 'tell.ts'];
  setStage(
    { config: config('tell.ts', { addons }), files: { 'act.ts': ACT, 'tell.ts': TELL } },
    (seen) => ({
      encoding: seen.headers['x-encoding'] === 'gzip' ? 'gzip' : 'identity',
      ...(seen.headers['x-act'] === 'long' && { pieces: Array<string>(12).fill('x'.repeat(1024 * 1024)) }),
      ...(seen.headers['x-act'] === 'reset' && { breakAfter: -1 }),
      ...(seen.headers['x-act'] === 'silence' && { silentMs: 60_000 }),
    }),
    (stage) => {
      ({ proxy, fake } = stage);
    },
  );

  /** Asks on one HTTP/2 connection; resolves with the answer and the one exchange that it was. */
  function exchanged(headers: Record<string, string>) {
    return exchangeOf((session) => askFor(session, headers));
  }

  function askFor(session: http2.ClientHttp2Session, headers: Record<string, string>) {
    return ask(session, { ':method': 'POST', ':path': '/chat/completions', ...headers }, chatRequest('hello'));
  }

  async function exchangeOf<T>(asks: (session: http2.ClientHttp2Session) => Promise<T>) {
    const before = toldNow(proxy).length;
    const session = await openSession(proxy, 'alice', API_HOST);
    const answer = await asks(session);
    session.close();
    const exchanges = (await told(proxy, before + 1)).slice(before);
    assert.equal(exchanges.length, 1);
    return { answer, exchange: exchanges[0] ?? assert.fail() };
  }

  for (const [act, prompt, text] of [
    ['nothing', 'hello', TEXT],
    ['edit', 'good day', TEXT.replace('return', 'give back')],
    ['transform', 'HELLO', TEXT.replace('return', 'RETURN')],
    ['replace', 'hello', 'from the addon'],
    ['respond-late', 'hello', 'from the addon'],
    ['respond-buffered', 'hello', 'from the addon'],
    // Nothing of what was asked has been taken in.
    ['respond', '', 'from the addon'],
  ] as const)
    it(`is what was really sent and answered when an addon’s act is "${act}"`, async () => {
      const { answer, exchange } = await exchanged({ 'x-act': act });
      assert.equal(answer.status, 200);
      assert.equal(exchange.prompt, prompt);
      if (act === 'transform') assert.match(exchange.choices[0]?.text ?? '', /^RETURN/);
      else assert.equal(exchange.choices[0]?.text, text);
      assert.equal(exchange.outcome, 'complete');
    });

  for (const encoding of ['identity', 'gzip'])
    it(`has the tokens that a very long answer ends with, in ${encoding}`, async () => {
      const { exchange, answer } = await exchanged({ 'x-act': 'long', 'x-encoding': encoding });
      assert.ok(encoding === 'gzip' || answer.body.length > 12 * 1024 * 1024);
      assert.deepEqual([exchange.truncated, exchange.tokens.completion, exchange.outcome], [true, 12, 'complete']);
      assert.equal(exchange.choices[0]?.finishReason, 'stop');
      assert.equal(exchange.choices[0]?.text.length, 8 * 1024 * 1024);
    });

  for (const [act, prompt, failure] of [
    ['reset', 'hello', 'ERR_HTTP2_STREAM_ERROR'],
    // Nothing of what was asked has been taken in.
    ['kill', '', 'KILLED'],
  ] as const)
    it(`without an answer is a failure: "${act}"`, async () => {
      const { exchange } = await exchangeOf((session) => askFor(session, { 'x-act': act }).catch(() => {}));
      assert.deepEqual([exchange.outcome, exchange.failure, exchange.status], ['failed', failure, undefined]);
      assert.deepEqual([exchange.prompt, exchange.choices], [prompt, []]);
      assert.deepEqual(exchange.counted, { as: 'nothing', reason: 'it failed' });
      assert.deepEqual(exchange.tokens, { prompt: 0, completion: 0, cached: 0, reasoning: 0, estimated: false });
    });

  it('that the client gives up before there is an answer is cancelled', async () => {
    const before = toldNow(proxy).length;
    const session = await openSession(proxy, 'alice', API_HOST);
    const stream = session.request({ ':method': 'POST', ':path': '/chat/completions', 'x-act': 'silence' });
    stream.on('error', () => {});
    stream.end(chatRequest('never mind'));
    await eventually('the request at the server', () =>
      fake.requests.some(({ headers }) => headers['x-act'] === 'silence'),
    );
    stream.close(http2.constants.NGHTTP2_CANCEL);
    const [exchange = assert.fail()] = (await told(proxy, before + 1)).slice(before);
    session.close();
    assert.deepEqual([exchange.outcome, exchange.failure, exchange.status], ['cancelled', undefined, undefined]);
    assert.equal(exchange.prompt, 'never mind');
    assert.equal(exchange.counted.reason, 'the client hung up before there was an answer');
  });

  it('is told of while the client has all, and asks on', async () => {
    const before = toldNow(proxy).length;
    proxy.write('logs/wait', '');
    const session = await openSession(proxy, 'alice', API_HOST);
    for (const question of ['one', 'two'])
      assert.match(
        (await ask(session, { ':method': 'POST', ':path': '/chat/completions' }, chatRequest(question))).body,
        /\[DONE\]/,
      );
    assert.equal(toldNow(proxy).length, before);
    proxy.remove('logs/wait');
    const fresh = (await told(proxy, before + 2)).slice(before);
    session.close();
    assert.deepEqual(fresh.map(({ prompt }) => prompt).sort(), ['one', 'two']);
    assert.equal(new Set(fresh.map(({ flow }) => flow)).size, 2);
  });

  it('is none for what is no use of Copilot', async () => {
    const session = await openSession(proxy, 'alice', API_HOST);
    const before = toldNow(proxy).length;
    for (const path of ['/embeddings', '/models', '/telemetry'])
      assert.equal((await ask(session, { ':method': 'POST', ':path': path }, '{}')).status, 200);
    session.close();
    const { exchange } = await exchanged({});
    assert.equal(exchange.prompt, 'hello');
    assert.equal(toldNow(proxy).length, before + 1);
  });
});
