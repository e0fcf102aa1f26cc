import assert from 'node:assert/strict';
import { once } from 'node:events';
import type { OutgoingHttpHeaders } from 'node:http';
import { describe, it } from 'node:test';
import zlib from 'node:zlib';
import { curl, openTunnel, VERSIONS } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

/** Does what the request's path says, and tells each hook on the log as `<path> <hook>`. */
const SCRIPT = `
  import { setTimeout as sleep } from 'node:timers/promises';
  import { defineAddon, type Flow } from 'insight-dump';

  const decoder = new TextDecoder();
  const acts: Record<string, Record<string, (flow: any) => unknown>> = {
    '/respond-at-head': { requestHeaders: (flow) => flow.respond({ status: 418, headers: { 'x-made': 'here' }, body: 'teapot' }) },
    '/respond-and-transform': {
      requestHeaders: (flow) => flow.respond({ status: 200, body: 'made here' }),
      responseHeaders(flow) {
        flow.response.buffer();
        flow.response.transform((chunk, last) => (last ? '!' : decoder.decode(chunk).toUpperCase()));
      },
      response: (flow) => flow.response.body.set(flow.response.body.text() + '!'),
    },
    '/respond-at-request': {
      requestHeaders: (flow) => flow.request.buffer(),
      request: (flow) => flow.respond({ status: 200, body: 'you sent ' + flow.request.body.text() }),
    },
    '/respond-at-response-head': { responseHeaders: (flow) => flow.respond({ status: 503, body: 'instead' }) },
    '/respond-at-response': {
      responseHeaders: (flow) => flow.response.buffer(),
      response: (flow) => flow.respond({ status: 202, body: 'after ' + flow.response.body.json().method }),
    },
    '/respond-after-streaming': { request: (flow) => flow.respond({ status: 201, body: 'had ' + flow.request.body.text() }) },
    '/respond-too-late': { response: (flow) => flow.respond({ status: 500 }) },
    '/edit-request': {
      requestHeaders: (flow) => flow.request.buffer(),
      request: (flow) => flow.request.body.set(flow.request.body.text().toUpperCase()),
    },
    '/edit-response': {
      responseHeaders: (flow) => flow.response.buffer(),
      response: (flow) => flow.response.body.set(flow.response.body.text().replaceAll('GET', 'GOT')),
    },
    '/buffer-nothing': { requestHeaders: (flow) => flow.request.buffer() },
    '/edit-unbuffered': { response: (flow) => flow.response.body.set('x') },
    '/transform': {
      requestHeaders: (flow) => flow.request.transform((chunk) => decoder.decode(chunk).toUpperCase()),
      responseHeaders(flow) {
        flow.response.transform(async (chunk, last) => {
          await sleep(1);
          return last ? '<end>' : [chunk.subarray(0, 1), '', chunk.subarray(1)];
        });
        flow.response.transform((chunk, last) => (last ? undefined : decoder.decode(chunk).replaceAll('"', "'")));
      },
    },
    '/transform-to-nothing': {
      responseHeaders: (flow) => flow.response.transform((_chunk, last) => (last ? ['all', ' of it'] : [])),
    },
    '/transform-throws': { responseHeaders: (flow) => flow.response.transform(() => { throw new Error('torn'); }) },
    '/kill-at-head': { requestHeaders: (flow) => flow.kill() },
    '/kill-at-response': { responseHeaders: (flow) => flow.kill() },
    '/elsewhere': { requestHeaders: (flow) => { flow.request.url = 'https://proxy.enterprise.githubcopilot.com/there?a=1'; } },
    '/other-host': { requestHeaders: (flow) => flow.request.headers.set('host', 'other.example.com') },
    '/other-path': { requestHeaders: (flow) => { flow.request.path = '/another?b=2'; flow.request.method = 'PUT'; } },
    '/headers': {
      requestHeaders: (flow) => { flow.request.headers.set('x-set', 'by addon'); flow.request.headers.delete('x-drop'); },
      responseHeaders: (flow) => { flow.response.headers.append('x-twice', '1'); flow.response.headers.append('x-twice', '2'); },
    },
    '/respond-nonsense': { requestHeaders: (flow) => flow.respond({ status: 42 }) },
    '/late': { requestHeaders: () => sleep(300) },
  };
  const hook = (name: string) => (flow: Flow, ctx: any) => {
    const end = flow.error ? ' by ' + flow.error.by + ' ' + flow.error.code : flow.response ? ' ' + flow.response.status : '';
    ctx.log.info(flow.request.path + ' ' + name + end);
    return acts[flow.request.path]?.[name]?.(flow);
  };
  const names = ['requestHeaders', 'request', 'responseHeaders', 'response', 'error'];
  export default defineAddon(Object.fromEntries(names.map((name) => [name, hook(name)])));
`;

/** What a client of each sees of an answer that breaks off, or never comes; and what Node says of a status of 42. */
const BROKEN = {
  'HTTP/1.1': { code: 'ECONNRESET', noStatus: 'ERR_HTTP_INVALID_STATUS_CODE' },
  'HTTP/2': { code: 'ERR_HTTP2_STREAM_ERROR', noStatus: 'ERR_HTTP2_STATUS_INVALID' },
} as const;

for (const version of ['HTTP/1.1', 'HTTP/2'] as const) {
  describe(`a hook, over ${version}`, () => {
    const { code, noStatus } = BROKEN[version];
    let fake: FakeCopilot;
    let proxy: ProxyProcess;
    setStage(
      {
        config: `export default { addons: ['addons/auth.ts', 'acts.ts'], options: { auth: { users: ['alice'] } }, flowDetail: 0 };`,
        files: { 'acts.ts': SCRIPT },
      },
      undefined,
      (stage) => {
        ({ fake, proxy } = stage);
      },
    );

    const request = async (path: string, body?: string | Buffer, headers: OutgoingHttpHeaders = {}) => {
      const connection = await VERSIONS[version](proxy, API_HOST);
      const length = body === undefined ? {} : { ':method': 'POST', 'content-length': String(Buffer.byteLength(body)) };
      try {
        return await connection.ask({ ':path': path, ...length, ...headers }, body);
      } finally {
        connection.close();
      }
    };
    const hooksOf = (path: string) =>
      [...proxy.output.matchAll(new RegExp(`${path} (.*)`, 'g'))].map(([, hook]) => hook);
    const hooksBecome = (path: string, expected: readonly string[]) =>
      eventually(
        () => `${path}: ${hooksOf(path)}`,
        () => hooksOf(path).length >= expected.length,
      ).then(() => assert.deepEqual(hooksOf(path), expected));

    it('runs in order, and one of response and error ends a flow', async () => {
      assert.equal((await request('/plain', 'body')).status, 200);
      await hooksBecome('/plain', ['requestHeaders', 'request', 'responseHeaders 200', 'response 200']);
    });

    it('answers at the head without the upstream, and the response hooks still run', async () => {
      const count = fake.requests.length;
      const { status, body, headers } = await request('/respond-at-head', 'unread');
      assert.deepEqual([status, body, headers['x-made'], headers['content-length']], [418, 'teapot', 'here', '6']);
      assert.equal(fake.requests.length, count);
      await hooksBecome('/respond-at-head', ['requestHeaders', 'responseHeaders 418', 'response 418']);
    });

    it('buffers and transforms an answer that was made here as it does others', async () => {
      const { body, headers } = await request('/respond-and-transform');
      assert.deepEqual([body, headers['content-length']], ['MADE HERE!!', '11']);
    });

    it('answers after the buffered request, at the response head, and after the buffered response', async () => {
      const count = fake.requests.length;
      assert.equal((await request('/respond-at-request', 'this')).body, 'you sent this');
      assert.equal(fake.requests.length, count);
      const head = await request('/respond-at-response-head');
      assert.deepEqual([head.status, head.body], [503, 'instead']);
      const whole = await request('/respond-at-response');
      assert.deepEqual([whole.status, whole.body], [202, 'after GET']);
      const streamed = await request('/respond-after-streaming', 'this');
      assert.deepEqual([streamed.status, streamed.body], [201, 'had this']);
      assert.equal(fake.requests.at(-1)?.body.toString(), 'this');
    });

    it('gives the client a 502 when its answer cannot be sent', async () => {
      const { status, headers } = await request('/respond-nonsense');
      assert.deepEqual([status, headers['x-insight-dump']], [502, noStatus]);
    });

    it('is told when it answers too late, or edits what it has not buffered, and the flow goes on', async () => {
      assert.equal((await request('/respond-too-late')).status, 200);
      await proxy.said(/response failed at acts\.ts:\d+:\d+: flow\.respond\(\) is too late/);
      assert.equal((await request('/edit-unbuffered')).status, 200);
      await proxy.said(/flow\.response\.body cannot be set: call flow\.response\.buffer\(\) in responseHeaders first/);
    });

    it('edits buffered bodies both ways, with lengths made right', async () => {
      const edited = await request('/edit-request', 'ströng');
      assert.equal(JSON.parse(edited.body).body, 'STRÖNG');
      assert.equal(JSON.parse(edited.body).headers['content-length'], '7');
      await request('/edit-request', zlib.gzipSync('ströng'), { 'content-encoding': 'gzip' });
      const { body: arrived, headers: sent } = fake.requests.at(-1) ?? assert.fail();
      assert.deepEqual([String(arrived), sent['content-encoding'], sent['content-length']], ['STRÖNG', undefined, '7']);
      for (const encoding of ['gzip', 'br'] as const) {
        fake.plan = () => ({ encoding });
        const { body, headers } = await request('/edit-response');
        fake.plan = () => ({});
        assert.equal(JSON.parse(body).method, 'GOT');
        assert.equal(headers['content-encoding'], undefined);
        assert.equal(headers['content-length'], String(Buffer.byteLength(body)));
      }
    });

    it('adds no body to a request without one when it buffers it', async () => {
      const { headers, body } = JSON.parse((await request('/buffer-nothing')).body);
      assert.deepEqual([headers['content-length'], headers['transfer-encoding'], body], [undefined, undefined, '']);
    });

    it('transforms chunks on their way, sync and async, one after the other, with a last call', async () => {
      const { body, headers } = await request('/transform', 'loud');
      assert.match(body, /^{'method':'POST'.*'body':'LOUD'}<end>$/);
      assert.equal(headers['content-length'], undefined);
      assert.equal((await request('/transform-to-nothing')).body, 'all of it');
    });

    it('breaks the flow when its transform throws: half a body is no body', async () => {
      await assert.rejects(request('/transform-throws'), { code });
      await hooksBecome('/transform-throws', [
        'requestHeaders',
        'request',
        'responseHeaders 200',
        'error by addon ADDON_FAILED',
      ]);
    });

    it('kills a flow', async () => {
      const count = fake.requests.length;
      await assert.rejects(request('/kill-at-head'), { code });
      assert.equal(fake.requests.length, count);
      await assert.rejects(request('/kill-at-response'), { code });
      await hooksBecome('/kill-at-head', ['requestHeaders', 'error by addon KILLED']);
    });

    it('sends a request elsewhere by its URL, and with another host, path and method', async () => {
      const arrives = async (path: string) => {
        await request(path);
        const { host, method, path: target } = fake.requests.at(-1) ?? assert.fail();
        // Of the clients, one names the port, too.
        return `${method} ${host.replace(':443', '')} ${target}`;
      };
      assert.equal(await arrives('/elsewhere'), 'GET proxy.enterprise.githubcopilot.com /there?a=1');
      assert.equal(await arrives('/other-host'), 'GET other.example.com /other-host');
      assert.equal(await arrives('/other-path'), `PUT ${API_HOST} /another?b=2`);
    });

    const editsHeaders = {
      'HTTP/1.1': async () => {
        const socket = await openTunnel(proxy, 'alice', API_HOST);
        const sent = ['X-B: 1', 'x-drop: 2', 'X-a: 3', 'X-B: 4'];
        socket.write(`GET /headers HTTP/1.1\r\nHost: ${API_HOST}\r\n${sent.join('\r\n')}\r\n\r\n`);
        const [head] = (await once(socket, 'data')) as [Buffer];
        socket.destroy();
        const { rawHeaders = [] } = fake.requests.at(-1) ?? {};
        assert.deepEqual(rawHeaders.slice(0, 10), [
          'Host',
          API_HOST,
          'X-B',
          '1',
          'X-a',
          '3',
          'X-B',
          '4',
          'x-set',
          'by addon',
        ]);
        assert.match(head.toString(), /x-twice: 1\r\nx-twice: 2\r\n/);
      },
      'HTTP/2': async () => {
        const { headers } = await request('/headers', undefined, { 'x-b': ['1', '4'], 'x-drop': '2', 'x-a': '3' });
        const { rawHeaders = [] } = fake.requests.at(-1) ?? {};
        const own = rawHeaders.slice(rawHeaders.indexOf('x-b'));
        assert.deepEqual(own.slice(0, 8), ['x-b', '1', 'x-b', '4', 'x-a', '3', 'x-set', 'by addon']);
        assert.ok(!rawHeaders.includes('x-drop'));
        assert.equal(headers['x-twice'], '1, 2');
      },
    };
    it('edits headers, and keeps order, case and duplicates of the others', editsHeaders[version]);

    it('is not run for a client that has gone meanwhile', async () => {
      const connection = await VERSIONS[version](proxy, API_HOST);
      void connection.ask({ ':path': '/late' }).catch(() => {});
      await eventually('it is in the hook', () => hooksOf('/late').length === 1);
      const count = fake.requests.length;
      connection.close();
      await hooksBecome('/late', ['requestHeaders', 'error by client CLIENT_CLOSED']);
      assert.equal(fake.requests.length, count);
    });

    it('sees an upstream that breaks off as an error of the upstream, and the client gets no clean end', async () => {
      fake.plan = () => ({ breakAfter: 2, delayMs: 20 });
      await assert.rejects(request('/v1/engines/broken/completions', '{}'), { code });
      fake.plan = () => ({});
      await eventually('error', () => hooksOf('broken/completions').length === 4);
      assert.match(hooksOf('broken/completions')[3] ?? '', /^error by upstream /);
    });

    it('gets bodies decoded, whatever coding they came in', async () => {
      for (const encoding of ['gzip', 'br'] as const) {
        fake.plan = () => ({ encoding });
        const { body, headers } = await request('/respond-at-response');
        assert.equal(body, 'after GET');
        assert.equal(headers['content-encoding'], undefined);
      }
      fake.plan = () => ({});
    });
  });
}

describe('a required addon', () => {
  it('closes the proxy with a 503 while it fails, at CONNECT and in the flow', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const config = `export default { addons: [{ script: 'gate.ts', required: true }] };`;
    const proxy = await ProxyProcess.start({
      upstream: fake,
      config,
      files: {
        'gate.ts': `export function requestHeaders(flow) { if (flow.request.path === '/fail') throw new Error('jammed'); }`,
      },
    });
    t.after(() => proxy.stop());
    const status = async (path: string) => {
      const { stdout } = await curl(
        proxy,
        undefined,
        '-o',
        '/dev/null',
        '-w',
        '%{http_connect} %{http_code}',
        `https://${API_HOST}${path}`,
      );
      return stdout;
    };
    assert.equal(await status('/models'), '200 200');
    assert.equal(await status('/fail'), '200 503');
    assert.equal(fake.requests.filter(({ path }) => path === '/fail').length, 0);
    proxy.write('gate.ts', `export function connect() { throw new Error('shut'); }`);
    await eventually('it is shut', async () => (await status('/models')) === '503 000');
    await proxy.said(/connect failed at gate\.ts:1:\d+: shut/);
  });
});
