import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { readRecords } from '../../core/copilot/record-reader.ts';
import { ask, askHttp1, basic, curl, openSession, openTunnel, RawConnection } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { eventually, ProxyProcess } from '../proxy-process.ts';
import {
  API_HOST,
  CHAT_TURN,
  COMPLETIONS_PATH,
  capture,
  chatRequest,
  completionRequest,
  GHOST,
  PROXY_HOST,
} from '../requests.ts';
import { SECRETS, type Secret } from '../secrets.ts';
import { envelope, suggestion } from '../telemetry.ts';

const TOKEN = 'tid=5ecre7t0ken;exp=9999999999;sku=seat';
const PLANTED = ['5ecre7t0ken', 'wr0ng-passw0rd', 'c00kie-secret', 'gho_5ecre7aaaaaaaaaaaaaaaaaaa', 'k3y-in-the-url'];

describe('secrets', () => {
  it('are in no file under logs/ but user_auth.json, in no console line, and passwords go nowhere upstream', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    // As talkative as it can be.
    const proxy = await ProxyProcess.start({ upstream: fake, isFirst: true, args: ['-v', '--flow-detail', '4'] });
    t.after(() => proxy.stop());
    const passwords = [proxy.password('alice'), proxy.password('bob')];

    const secretHeaders = {
      authorization: `Bearer ${TOKEN}`,
      cookie: 'session=c00kie-secret',
      'x-api-key': 'gho_5ecre7aaaaaaaaaaaaaaaaaaa',
      'copilot-edits-session': '5ecre7t0ken',
    };
    for (const name of [GHOST, CHAT_TURN]) {
      const { host, headers, body } = capture(name);
      const session = await openSession(proxy, 'alice', host);
      await ask(session, { ...headers, ...secretHeaders }, JSON.stringify(body));
      session.close();
    }
    const curlHeaders = Object.entries(secretHeaders).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const chat = `https://${API_HOST}/chat/completions?api_key=k3y-in-the-url`;
    await curl(proxy, 'bob', ...curlHeaders, chat, '-d', chatRequest('hi'));
    await curl(proxy, 'bob', ...curlHeaders, `https://${PROXY_HOST}${COMPLETIONS_PATH}`, '-d', completionRequest('hi'));
    await curl(proxy, 'bob', ...curlHeaders, `https://${API_HOST}/copilot_internal/v2/token`);
    await curl(proxy, 'bob', ...curlHeaders, 'http://example.com/?token=k3y-in-the-url');
    for (const credentials of [basic('alice', 'wr0ng-passw0rd'), 'Basic wr0ng-passw0rd', 'Bearer wr0ng-passw0rd']) {
      const connection = await RawConnection.open(proxy.port);
      await connection.ask(`CONNECT ${API_HOST}:443 HTTP/1.1`, 'Host: x', `Proxy-Authorization: ${credentials}`);
      connection.socket.destroy();
    }
    await proxy.recorded(4);
    await proxy.metrics((day) => day.total_chat_turns + day.total_completions_count === 4);
    await proxy.stop({ keep: true });

    const login = (user: string, i: number) => Buffer.from(`${user}:${passwords[i]}`).toString('base64');
    const secrets = [
      ...PLANTED,
      ...passwords,
      login('alice', 0),
      login('bob', 1),
      Buffer.from(PLANTED[1] as string).toString('base64'),
    ];
    const texts = new Map([['the console', proxy.output], ...filesBelow(proxy.path('logs'))]);
    assert.ok([...texts.keys()].some((name) => name.endsWith('insight-dump.log')));
    for (const [name, text] of texts) {
      if (name.endsWith('user_auth.json')) continue;
      for (const secret of secrets)
        assert.ok(!text.includes(secret), `${secret} in ${name}:\n${lineWith(text, secret)}`);
    }
    const upstream = JSON.stringify(
      fake.requests.map(({ rawHeaders, path: url, body }) => [rawHeaders, url, body.toString()]),
    );
    for (const secret of secrets.slice(PLANTED.length))
      assert.ok(!upstream.includes(secret), 'a password went upstream');
    // What the client sends to Copilot itself does arrive there.
    assert.ok(upstream.includes('5ecre7t0ken'));
    assert.equal(statSync(proxy.path('logs/user_auth.json')).mode & 0o777, 0o600);
    assert.equal(statSync(proxy.path('logs')).mode & 0o777, 0o700);
    assert.equal(statSync(proxy.path('conf/ca.key')).mode & 0o777, 0o600);
    assert.equal(statSync(proxy.path('conf/auth.secret')).mode & 0o777, 0o600);
  });
});

describe('the key of the CA', () => {
  it('is in its file only, which nobody else can read, and in nothing that leaves the proxy', async (t) => {
    const fake = await startFakeCopilot();
    t.after(() => fake.close());
    const proxy = await ProxyProcess.start({ upstream: fake, isFirst: true, args: ['-v', '--flow-detail', '4'] });
    t.after(() => proxy.stop());
    const answered: string[] = [];
    for (const host of [API_HOST, PROXY_HOST]) {
      const socket = await openTunnel(proxy, 'alice', host);
      answered.push(socket.getPeerX509Certificate()?.raw.toString('latin1') ?? assert.fail());
      answered.push((await askHttp1(socket, { ':path': '/models' })).body);
      socket.destroy();
    }
    const direct = await RawConnection.open(proxy.port);
    answered.push((await direct.ask('GET /ca.key HTTP/1.1', 'Host: x')).text);
    direct.socket.destroy();
    await proxy.stop({ keep: true });

    // Its first third is what the certificate tells as well (RFC 8017, appendix A.1.2).
    const lines = proxy.read('conf/ca.key').trim().split('\n').slice(10, -1);
    assert.ok(lines.length > 10);
    const traces = [...lines, ...lines.map((line) => Buffer.from(line, 'base64').toString('latin1'))];
    const upstream = fake.requests.map(({ rawHeaders, body }) => [...rawHeaders, body.toString('latin1')].join('\n'));
    const all = new Map([
      ['the console', proxy.output],
      ['upstream', upstream.join()],
      ['answers', answered.join('\n')],
    ]);
    for (const [file, text] of filesBelow(proxy.folder, 'latin1')) all.set(path.relative(proxy.folder, file), text);
    const found = [...all].filter(([, text]) => traces.some((trace) => text.includes(trace))).map(([name]) => name);
    assert.deepEqual(found, ['conf/ca.key']);
    assert.ok([...all.keys()].includes('logs/insight-dump.log'));
    assert.equal(statSync(proxy.path('conf/ca.key')).mode & 0o777, 0o600);
  });
});

describe('secrets of all kinds that masking knows', () => {
  const ADDONS = ['auth', 'privacy', 'telemetry', 'filter', 'usage', 'metrics'].map((name) => `addons/${name}.ts`);
  const ALWAYS = { fromMs: 0, untilMs: Number.POSITIVE_INFINITY };
  const TELEMETRY_HOST = 'telemetry.individual.githubcopilot.com';

  for (const format of ['json', 'ndjson'] as const)
    it(`are in no file under logs/, of headers, URLs, prompts, answers and telemetry that is recorded in full (${format})`, async (t) => {
      const texts = SECRETS.map(({ text }) => text);
      const fake = await startFakeCopilot(() => ({ pieces: texts.join(' and ').match(/[\s\S]{1,9}/g) ?? [] }));
      t.after(() => fake.close());
      const options = {
        auth: { users: ['alice'] },
        privacy: { mask: true, maskTimeoutMs: 60_000 },
        telemetry: { mode: 'full' },
        usage: { format, otherContent: true },
      };
      const config = `export default ${JSON.stringify({ addons: ADDONS, options, flowDetail: 1 })};`;
      const proxy = await ProxyProcess.start({ upstream: fake, config, args: ['-v'] });
      t.after(() => proxy.stop());

      const { secret: token } = SECRETS[0] as Secret;
      const jwt = SECRETS.find(({ kind }) => kind === 'JWT')?.secret ?? assert.fail();
      const headers = {
        authorization: `Bearer ${jwt}`,
        cookie: `session=${jwt}`,
        'x-api-key': token,
        'user-agent': `x Bearer ${jwt}`,
        'x-request-id': token,
        'editor-version': `vscode/${token}`,
        'vscode-machineid': token,
        'x-interaction-type': token,
      };
      const query = `?access_token=${jwt}&token=${token}`;
      const prompt = texts.join('\n');
      for (const [host, path, body] of [
        [API_HOST, '/chat/completions', chatRequest(prompt)],
        [API_HOST, '/responses', JSON.stringify({ model: token, input: prompt, stream: true })],
        [
          API_HOST,
          '/v1/messages',
          JSON.stringify({ messages: [{ role: 'user', content: [{ type: 'text', text: prompt }] }] }),
        ],
        [PROXY_HOST, COMPLETIONS_PATH, completionRequest(prompt, { extra: { language: token } })],
        [TELEMETRY_HOST, '/telemetry', telemetryOf(texts)],
      ] as const) {
        const session = await openSession(proxy, 'alice', host);
        await ask(session, { ':method': 'POST', ':path': `${path}${query}`, ...headers }, body);
        session.close();
      }
      await eventually('the records and the telemetry', async () => {
        let count = 0;
        for await (const _ of readRecords(proxy.path('logs'), ALWAYS)) count += 1;
        return count === 4 && existsSync(proxy.path('logs/telemetry'));
      });
      await proxy.stop({ keep: true });

      const files = filesBelow(proxy.path('logs'));
      const telemetry = files.filter(([name]) => /telemetry_\d{4}-\d\d-\d\d\.ndjson$/.test(name));
      assert.ok(telemetry.some(([, text]) => text.includes('[masked private key]')));
      for (const [name, text] of [...files, ['the console', proxy.output] as const]) {
        if (name.endsWith('user_auth.json')) continue;
        for (const { kind, secret } of SECRETS)
          assert.ok(!`${name} ${text}`.includes(secret), `${kind} in ${name}:\n${lineWith(text, secret)}`);
      }
      // All of it went to Copilot.
      for (const { secret } of SECRETS)
        assert.ok(
          fake.requests.every(({ body }) => body.toString().includes(JSON.stringify(secret).slice(1, -1))),
          secret,
        );
    });

  /** Where what is asked may stand in it: in texts, in JSON in a text, in names, and beside all of that. */
  function telemetryOf(texts: readonly string[]): string {
    const events = texts.flatMap((text) => [
      envelope({
        name: 'agent/request.sent',
        properties: { request_option_input: JSON.stringify([{ content: text }]) },
      }),
      envelope({ name: text, properties: { [text]: text }, measurements: { [text]: 1 } }),
      { [text]: [text, { deep: [text] }] },
    ]);
    return JSON.stringify([...events, suggestion('shown', 'python')]);
  }
});

function filesBelow(folder: string, encoding: BufferEncoding = 'utf8'): [string, string][] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile())
    .map((file) => [file, readFileSync(file, encoding)]);
}

function lineWith(text: string, word: string): string {
  return (
    text
      .split('\n')
      .find((line) => line.includes(word))
      ?.slice(0, 400) ?? ''
  );
}

describe('the list of processes', () => {
  it('does not show passwords that were given as flags', async (t) => {
    const secrets = ['a-secret-of-32-letters-and-numbers', 'parent-password'];
    const args = ['--set', `auth.secret=${secrets[0]}`, '--upstream', `http://user:${secrets[1]}@127.0.0.1:1`];
    const proxy = await ProxyProcess.start({ args });
    t.after(() => proxy.stop());
    const shown = readFileSync(`/proc/${proxy.pid}/cmdline`, 'utf8');
    for (const secret of secrets) assert.ok(!shown.includes(secret), shown);
  });
});
