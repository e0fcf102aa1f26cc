import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { defineAddon, type Flow } from '../core/addon.ts';
import { makeFlow, makeTunnel, tempScript, testAddon } from './kit.ts';

describe('the kit', () => {
  it('runs hooks in the order of the engine, and says what arrived at both ends', async () => {
    const calls: string[] = [];
    const note = (hook: string) => (flow: Flow) => void calls.push(`${hook} ${flow.response?.status}`);
    const names = ['requestHeaders', 'request', 'responseHeaders', 'response', 'error'];
    const addon = await testAddon(defineAddon(Object.fromEntries(names.map((name) => [name, note(name)]))));
    const { sent, received } = await addon.run(
      makeFlow({
        url: 'https://example.com/x',
        headers: { a: '1' },
        body: 'in',
        response: { status: 201, body: 'out' },
      }),
    );
    assert.deepEqual(calls.splice(0), [
      'requestHeaders undefined',
      'request undefined',
      'responseHeaders 201',
      'response 201',
    ]);
    assert.deepEqual(
      [sent?.method, sent?.url, sent?.body, sent?.headers.get('a')],
      ['POST', 'https://example.com/x', 'in', '1'],
    );
    assert.deepEqual([received?.status, received?.body], [201, 'out']);
    const failed = await addon.run(makeFlow({ error: { by: 'upstream', code: 'ECONNREFUSED', message: 'no' } }));
    assert.deepEqual(calls, ['requestHeaders undefined', 'request undefined', 'error undefined']);
    assert.equal(failed.received, undefined);
    await addon.stop();
  });

  it('answers, kills, edits and transforms as the engine does', async () => {
    const decoder = new TextDecoder();
    const addon = await testAddon(
      defineAddon({
        requestHeaders(flow) {
          if (flow.request.path === '/answer') flow.respond({ status: 418, body: 'tea' });
          if (flow.request.path === '/kill') flow.kill();
          if (flow.request.path === '/edit') flow.request.buffer();
          flow.request.transform((chunk, last) => (last ? '!' : decoder.decode(chunk).toUpperCase()));
        },
        request(flow) {
          if (flow.request.path === '/edit') flow.request.body.set(`<${flow.request.body.text()}>`);
        },
        responseHeaders(flow) {
          flow.response.buffer();
        },
        response(flow) {
          if (flow.request.path === '/edit') flow.response.body.set('edited');
        },
      }),
    );
    const run = (path: string) =>
      addon.run(makeFlow({ url: `http://a.example${path}`, body: 'in', response: { body: 'out' } }));
    const answered = await run('/answer');
    assert.deepEqual([answered.sent, answered.received?.status, answered.received?.body], [undefined, 418, 'tea']);
    assert.deepEqual(await run('/kill'), { sent: undefined, received: undefined, exchange: undefined });
    const edited = await run('/edit');
    assert.deepEqual([edited.sent?.body, edited.received?.body], ['<IN!>', 'edited']);
    assert.equal(edited.received?.headers.get('content-length'), '6');
    assert.equal((await run('/other')).sent?.body, 'IN!');
    await addon.stop();
  });

  it('takes bodies in chunks', async () => {
    const seen: string[] = [];
    const note = (chunk: Uint8Array, last: boolean) => {
      if (!last) seen.push(Buffer.from(chunk).toString());
      return chunk;
    };
    const addon = await testAddon(
      defineAddon({
        requestHeaders: (flow) => flow.request.transform(note),
        responseHeaders: (flow) => flow.response.transform(note),
      }),
    );
    const { sent, received } = await addon.run(
      makeFlow({ body: ['a', 'b'], response: { body: ['c', '', Buffer.from('d')] } }),
    );
    assert.deepEqual(seen, ['a', 'b', 'c', 'd']);
    assert.deepEqual([sent?.body, received?.body], ['ab', 'cd']);
    await addon.stop();
  });

  it('replaces the answer to a request that has been streamed, as the engine does', async () => {
    const addon = await testAddon(defineAddon({ request: (flow) => flow.respond({ status: 418 }) }));
    const { sent, received } = await addon.run(makeFlow({ body: 'in' }));
    assert.deepEqual([sent?.body, received?.status], ['in', 418]);
    await addon.stop();
  });

  it('gives folders to write to', async () => {
    const addon = await testAddon(
      defineAddon({
        running({ paths }) {
          for (const each of Object.values(paths)) writeFileSync(`${each}/x`, '');
        },
      }),
    );
    assert.ok(existsSync(`${addon.paths.logs}/x`));
    await addon.stop();
    assert.ok(!existsSync(addon.paths.logs));
  });

  it('says of a flow who asks, and in which groups they are', async () => {
    const addon = await testAddon(
      defineAddon({
        responseHeaders: ({ client, response }) => response.headers.set('x', `${client.user} ${client.groups}`),
      }),
    );
    const { received } = await addon.run(makeFlow({ user: 'bob', groups: ['red', 'blue'] }));
    assert.equal(received?.headers.get('x'), 'bob red,blue');
    assert.deepEqual(makeTunnel().client.groups, []);
    await addon.stop();
  });

  it('fails with what a hook throws, which the proxy would only say', async () => {
    const throws = () => {
      throw new RangeError('mine');
    };
    const addon = await testAddon(defineAddon({ connect: throws, response: throws }));
    await assert.rejects(addon.run(makeFlow()), RangeError);
    await assert.rejects(addon.connect(makeTunnel()), RangeError);
    assert.match(addon.log.of('error')[0] ?? '', /^response failed at .*: mine$/);
    await addon.stop();
  });

  it('takes options, changes them, and refuses wrong ones', async () => {
    const options = z.object({ word: z.string().default('a') });
    const addon = await testAddon(
      defineAddon({ options, connect: (tunnel, ctx) => tunnel.deny(403, { body: ctx.options.word }) }),
      { options: { word: 'b' } },
    );
    assert.equal((await addon.connect(makeTunnel())).answer?.body, 'b');
    await addon.configure({ word: 'c' });
    await assert.rejects(addon.configure({ word: 1 }), { code: 'optionsInvalid' });
    assert.equal((await addon.connect(makeTunnel())).answer?.body, 'c');
    await addon.stop();
  });

  it('runs the hooks of a WebSocket, and says what is passed on', async () => {
    const calls: string[] = [];
    const addon = await testAddon(
      defineAddon({
        websocketStart: (flow) => void calls.push(`start ${flow.response.status}`),
        websocketMessage(_flow, message) {
          if (message.text === 'secret') message.drop();
          else message.text = `${message.from}: ${message.text}`;
        },
        websocketEnd: (_flow, { by, code }) => void calls.push(`end by ${by} ${code}`),
      }),
    );
    const passed = await addon.webSocket(makeFlow(), [
      { from: 'client', content: 'hello' },
      { from: 'client', content: 'secret' },
      { from: 'server', content: Buffer.from('bytes') },
    ]);
    assert.deepEqual(
      passed.map(({ text, isText }) => [text, isText]),
      [
        ['client: hello', true],
        ['server: bytes', false],
      ],
    );
    assert.deepEqual(calls, ['start 101', 'end by client 1000']);
    await addon.stop();
  });

  it('reloads a script when it is saved, and says why when it is not taken', async () => {
    const text = (word: string) => `import { defineAddon } from 'insight-dump';
      export default defineAddon({ state: () => ({ loads: 0 }), load: (ctx) => { ctx.state.loads += 1; },
        responseHeaders(flow, ctx) { flow.response.headers.set('x', '${word} ' + ctx.state.loads); } });`;
    const script = await tempScript(text('one'));
    const header = async () => (await script.run(makeFlow())).received?.headers.get('x');
    assert.equal(await header(), 'one 1');
    let reloaded = script.reloaded();
    script.save(text('two'));
    await reloaded;
    assert.equal(await header(), 'two 2');
    reloaded = script.reloaded();
    script.save('export default {');
    await assert.rejects(reloaded, { code: 'doesNotCompile' });
    assert.equal(await header(), 'two 2');
    await script.stop();
    assert.equal(existsSync(script.file), false);
    await assert.rejects(tempScript('oops('), { code: 'doesNotCompile' });
  });
});
