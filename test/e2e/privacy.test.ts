import assert from 'node:assert/strict';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { ask, basic, curl, openSession, RawConnection } from '../clients.ts';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { CliProcess, ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { SECRETS } from '../secrets.ts';

const CHAT = { ':method': 'POST', ':path': '/chat/completions', 'editor-version': 'vscode/1' };

async function withPrivacy(
  privacy: object,
  test: (proxy: ProxyProcess, fake: FakeCopilot) => Promise<void>,
  plan?: FakeCopilot['plan'],
  more: {
    readonly usage?: object;
    readonly auth?: object;
    readonly budgets?: object;
    readonly flowDetail?: number;
  } = {},
): Promise<void> {
  const fake = await startFakeCopilot(plan);
  const users = ['alexandra', 'bartholomew', 'cassandra'];
  const { flowDetail = 0, auth, ...rest } = more;
  const options = { auth: { users, groups: { council: ['cassandra'] }, ...auth }, privacy, ...rest };
  const addons = ['auth', 'privacy', 'filter', 'budgets', 'usage', 'metrics'].map((name) => `addons/${name}.ts`);
  try {
    const config = `export default ${JSON.stringify({ addons, options, flowDetail })};`;
    const proxy = await ProxyProcess.start({ upstream: fake, config });
    try {
      await test(proxy, fake);
    } finally {
      await proxy.stop();
    }
  } finally {
    await fake.close();
  }
}

async function chat(proxy: ProxyProcess, user: string, text: string, headers: object = {}): Promise<string> {
  const session = await openSession(proxy, user, API_HOST);
  const { body } = await ask(session, { ...CHAT, ...headers }, chatRequest(text));
  session.close();
  return body;
}

function filesBelow(folder: string): [file: string, text: string][] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((file) => statSync(path.join(folder, file)).isFile())
    .map((file) => [file, readFileSync(path.join(folder, file), 'utf8')]);
}

describe('modes', () => {
  it('keep all, metadata or nothing, by user and group; the strictest counts', () =>
    withPrivacy(
      { users: { bartholomew: 'metadata-only', cassandra: 'full' }, groups: { council: 'off' } },
      async (proxy) => {
        const users = ['alexandra', 'bartholomew', 'cassandra'];
        for (const user of users) await chat(proxy, user, `asked by ${user}`);
        await proxy.metrics((day) => day.total_chat_turns === 2);
        await proxy.stop({ keep: true });
        const records = [...proxy.records().values()];
        assert.deepEqual(
          records.map(({ insight }) => insight.user),
          ['alexandra', 'bartholomew'],
        );
        const files = filesBelow(proxy.path('logs'));
        const holding = users.map((user) => files.filter(([, text]) => text.includes(`asked by ${user}`)).length);
        assert.deepEqual(holding, [1, 0, 0]);
        assert.deepEqual(Object.keys(proxy.metricsNow()?.usage ?? {}), ['alexandra', 'bartholomew']);
      },
    ));

  it('change while the proxy runs', () =>
    withPrivacy({}, async (proxy) => {
      await chat(proxy, 'alexandra', 'first');
      await proxy.recorded(1);
      const since = proxy.output.length;
      proxy.write(
        'addons.config.ts',
        proxy.read('addons.config.ts').replace('"privacy":{}', '"privacy":{"default":"off"}'),
      );
      await proxy.said(/addons\.config\.ts/, since);
      await chat(proxy, 'alexandra', 'second');
      await proxy.stop({ keep: true });
      assert.equal(proxy.records().size, 1);
    }));
});

describe('pseudonyms', () => {
  it('stand for users and machines in all files but those of auth; the command tells whose they are', () =>
    withPrivacy({ pseudonyms: true }, async (proxy) => {
      const machine = '4ce93ec3b2000000000000000000000000000000000000000000000000000000';
      for (const user of ['alexandra', 'bartholomew', 'alexandra'])
        await chat(proxy, user, 'hi', { 'vscode-machineid': machine });
      await proxy.metrics((day) => day.total_chat_turns === 3);
      await proxy.stop({ keep: true });
      const command = new CliProcess({
        folder: proxy.folder,
        args: ['privacy', 'pseudonym', 'alexandra'],
        listenByConfig: true,
      });
      assert.equal(await command.ended, 0);
      const pseudonym = command.output.trim();
      assert.match(pseudonym, /^user-[0-9a-f]{16}$/);
      const records = [...proxy.records().values()];
      assert.equal(records.filter((record) => record['proxy-authorization'] === pseudonym).length, 2);
      assert.equal(proxy.metricsNow()?.usage[pseudonym]?.chat_turns, 2);
      for (const [file, text] of filesBelow(proxy.path('logs'))) {
        if (file === 'user_auth.json') continue;
        const lines = text.split('\n').filter((line) => !line.includes('"addon":"auth"'));
        for (const name of ['alexandra', 'bartholomew', '127.0.0.1_', '"client": "127', machine.slice(0, 10)]) {
          assert.ok(!file.includes(name), file);
          assert.deepEqual(
            lines.filter((line) => line.includes(name)),
            [],
            file,
          );
        }
      }
      assert.equal(statSync(proxy.path('conf/privacy.secret')).mode & 0o777, 0o600);
    }));

  it('stand for users on the log and in budgets as well, where auth names nobody there', () =>
    withPrivacy(
      { pseudonyms: true },
      async (proxy) => {
        assert.match(await chat(proxy, 'alexandra', 'hi'), /DONE/);
        await proxy.said(/⛔ user user-[0-9a-f]{16} has used 100% of 1 turns a day/);
        assert.match(await chat(proxy, 'alexandra', 'hi'), /budget is used up: 1 turns a day/);
        const connection = await RawConnection.open(proxy.port);
        const login = `Proxy-Authorization: ${basic('bartholomew', 'wrong')}`;
        await connection.ask(`CONNECT ${API_HOST}:443 HTTP/1.1`, 'Host: x', login);
        connection.socket.destroy();
        await proxy.said(/🔒 127\.0\.0\.1 sent wrong credentials$/m);
        await proxy.recorded(2);
        await proxy.stop({ keep: true });
        assert.match(proxy.output, /🌐 user-[0-9a-f]{16} POST /);
        assert.match(proxy.output, /👥 users: 3;/);
        assert.match(proxy.read('logs/budgets.json'), /"user": "user-[0-9a-f]{16}"/);
        for (const [file, text] of [...filesBelow(proxy.path('logs')), ['the console', proxy.output] as const])
          if (file !== 'user_auth.json') assert.doesNotMatch(`${file} ${text}`, /alexandra|bartholomew/);
      },
      undefined,
      {
        auth: { logNames: false },
        budgets: { limits: [{ user: 'alexandra', turns: 1, action: 'refuse' }] },
        flowDetail: 1,
      },
    ));
});

describe('masking', () => {
  const TEXTS = SECRETS.map(({ text }) => text).join(' and\n');
  const everywhere = () => ({ pieces: TEXTS.match(/[\s\S]{1,7}/g) ?? [] });

  for (const format of ['json', 'ndjson']) {
    it(`keeps planted secrets out of all files, and leaves traffic alone (${format})`, () =>
      withPrivacy(
        { mask: true, maskTimeoutMs: 60_000 },
        async (proxy, fake) => {
          const [{ secret: token } = { secret: '' }] = SECRETS;
          const headers = {
            ':path': `/chat/completions?token=${token}`,
            'editor-version': token,
            'editor-plugin-version': token,
            'x-request-id': token,
            'x-interaction-id': token,
            'user-agent': `x Bearer ${token}`,
            authorization: `Bearer ${token}`,
          };
          const answer = await chat(proxy, 'alexandra', TEXTS, headers);
          assert.ok(answer.includes('hun'));
          assert.ok(fake.requests.some(({ body }) => body.includes(token)));
          await proxy.said(/😄/);
          await proxy.metrics((day) => day.total_chat_turns === 1);
          await proxy.stop({ keep: true });
          const files = filesBelow(proxy.path('logs'));
          const [, record = ''] = files.find(([, text]) => text.includes('[masked github token]')) ?? [];
          assert.ok(record.includes('[masked private key]'));
          for (const [file, text] of [...files, ['the console', proxy.output] as const]) {
            if (file === 'user_auth.json') continue;
            for (const { kind, secret } of SECRETS)
              assert.ok(!`${file} ${text}`.includes(secret), `${kind} in ${file}`);
          }
        },
        everywhere,
        { usage: { format } },
      ));
  }

  it('keeps metadata only where it takes too long, which is said once', () =>
    withPrivacy({ mask: true, maskTimeoutMs: 1 }, async (proxy) => {
      for (let i = 0; i < 2; i++) await chat(proxy, 'alexandra', `planted ${'a@b.cd '.repeat(200_000)}`);
      await proxy.recorded(2);
      assert.equal(proxy.output.match(/cannot mask secrets/g)?.length, 1);
      for (const [, text] of filesBelow(proxy.path('logs/usage'))) assert.ok(!text.includes('planted'));
    }));
});

describe('what users are told', () => {
  const privacy = { users: { bartholomew: 'metadata-only' }, pseudonyms: true, notice: 'Ask Eve about it.' };

  it('is on a page that the proxy answers itself, for each of them', () =>
    withPrivacy(privacy, async (proxy, fake) => {
      const page = await curl(proxy, 'bartholomew', 'http://privacy.insight-dump/');
      assert.match(
        page.stdout,
        /of bartholomew: that you use Copilot.*not what is said.\nIt is kept under a pseudonym.\n\nAsk Eve about it.\n/s,
      );
      assert.equal(fake.requests.length, 0);
    }));

  it('is printed for administrators', () =>
    withPrivacy(privacy, async (proxy) => {
      const command = new CliProcess({ folder: proxy.folder, args: ['privacy'], listenByConfig: true });
      assert.equal(await command.ended, 0, command.output);
      assert.match(command.output, /^user bartholomew +metadata-only\neverybody else +full\npseudonyms +on\n/);
      assert.match(command.output, /\nAsk Eve about it.\n$/);
    }));
});
