import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type FakeCopilot, startFakeCopilot } from '../fake-copilot.ts';
import { installInto, TSC } from '../install.ts';
import { type AddonTest, makeFlow, testScript } from '../kit.ts';
import { eventually, makeFolder, ProxyProcess } from '../proxy-process.ts';
import { readGuide } from './guide.ts';

const run = promisify(execFile);
const { files, commands } = readGuide('docs/addons.md');
const CHAT = 'https://api.githubcopilot.com/chat/completions';

describe('the guide for authors', () => {
  let folder: string;
  let fake: FakeCopilot;
  before(async () => {
    const compilerOptions = { strict: true, noEmit: true, module: 'nodenext', target: 'es2023', types: [] };
    const tsconfig = { compilerOptions, include: ['*.ts'] };
    folder = makeFolder({ ...files, 'tsconfig.json': JSON.stringify(tsconfig) });
    fake = await startFakeCopilot();
    await installInto(folder);
  });
  after(async () => {
    await fake.close();
    rmSync(folder, { recursive: true });
  });

  /** Runs a line of the guide in the author's folder. */
  const shell = (command: string) => {
    // Without its own context, a test runner within a test does nothing, and says that all is well.
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const PATH = `${folder}/node_modules/.bin:${env.PATH}`;
    return run('sh', ['-c', command], { cwd: folder, env: { ...env, PATH } });
  };

  /** Runs an addon of the guide as it says, with a port and a server of the test's. */
  async function withProxy(command: string, test: (proxy: ProxyProcess) => Promise<void>): Promise<void> {
    const [cli, ...args] = command.replace(/^npx /, '').split(' ');
    assert.equal(cli, 'insight-dump');
    const toFake = ['--connect-to', `:80:127.0.0.1:${fake.plainPort}`];
    const proxy = await ProxyProcess.start({ args: [...args, ...toFake], folder });
    try {
      await test(proxy);
    } finally {
      await proxy.stop({ keep: true });
    }
  }

  const commandWith = (word: string) => {
    const command = commands.find((each) => each.includes(word));
    assert.ok(command, `no command with ${word}`);
    return command;
  };

  it('leads from nothing to a changed header, by its own commands', async () => {
    const { stdout } = await shell(commandWith('insight-dump new'));
    assert.match(stdout, /hello\.ts and hello\.test\.mjs are written/);
    await withProxy(commandWith('-s hello.ts'), async (proxy) => {
      const ask = async () => (await shell(commandWith('curl').replace(':8080', `:${proxy.port}`))).stdout;
      assert.match(await ask(), /^x-hello: anonymous, answer 1\r$/m);
      const file = path.join(folder, 'hello.ts');
      writeFileSync(file, readFileSync(file, 'utf8').replace('answer $', 'my answer $'));
      await eventually('the edit is live', async () => /^x-hello: anonymous, my answer \d+\r$/m.test(await ask()));
    });
    await shell('node --test hello.test.mjs').then(
      () => assert.fail('the test has not seen the edit'),
      ({ stdout: output }) => assert.match(output, /my answer 1/),
    );
  });

  it('has code that TypeScript finds no fault with', async () => {
    const found = await run(TSC, ['-p', folder]).catch(({ stdout }) => stdout as string);
    assert.equal(typeof found === 'string' ? found : '', '');
  });

  it('has a command that runs', async () => {
    const { stdout } = await shell(commandWith('price 100'));
    assert.equal(stdout, '4.00 dollars\n');
  });

  it('has a test that passes', async () => {
    await shell(commandWith('node --test'));
  });

  it('prints the options of its addon', async () => {
    const page = readFileSync(path.join(import.meta.dirname, '../../docs/addons.md'), 'utf8');
    const [command] = /npx insight-dump --options[^`]*/.exec(page) ?? [''];
    assert.match(
      (await shell(command)).stdout,
      /# chats that each user has in an hour\n {2}# number\n {2}perHour: 100/,
    );
  });

  it('ends with a package that others run by its path', async () => {
    const { stdout } = await shell(commandWith('npm pack'));
    const installed = path.join(folder, 'node_modules/insight-dump-limit');
    mkdirSync(installed);
    await run('tar', ['-xzf', path.join(folder, stdout.trim()), '-C', installed, '--strip-components=1']);
    await withProxy(commandWith('node_modules/'), async (proxy) => {
      assert.match(proxy.output, /with addons limit/);
    });
  });

  it('has a config that starts', async () => {
    await withProxy('npx insight-dump', async (proxy) => {
      assert.match(proxy.output, /with addons auth → limit → filter → usage/);
    });
  });

  describe('shows addons that do what it says:', () => {
    const covered = new Set<string>();
    const shows = (file: string, what: string, test: (addon: AddonTest) => Promise<void>) => {
      covered.add(file);
      it(`${file} ${what}`, async (t) => {
        const addon = await testScript(path.join(folder, file));
        t.after(() => addon.stop());
        await test(addon);
      });
    };
    const answer = 'data: {"choices":[{"delta":{"content":"hello"},"finish_reason":"stop"}]}\n\n';
    const chat = () => makeFlow({ url: CHAT, body: '{"model":"m","messages":[]}', response: { body: answer } });

    shows('prompts.ts', 'tells what was answered', async (addon) => {
      await addon.run(chat());
      assert.deepEqual(addon.log.of('info'), ['alice asked m and got: hello']);
    });

    shows('forms.ts', 'holds a class, an addon and an object', async (addon) => {
      const made = await addon.run(makeFlow({ url: 'https://api.githubcopilot.com/tea' }));
      assert.equal(made.received?.status, 418);
      const passed = await addon.run(makeFlow({ response: { headers: { server: 'x' } } }));
      assert.equal(passed.received?.headers.has('server'), false);
      assert.deepEqual(addon.log.of('info'), ['request 1']);
    });

    shows('functions.ts', 'sets a header of requests', async (addon) => {
      assert.equal((await addon.run(makeFlow())).sent?.headers.get('x-team'), 'red');
    });

    shows('polite.ts', 'edits a buffered body', async (addon) => {
      const { sent } = await addon.run(chat());
      assert.deepEqual(JSON.parse(sent?.body ?? '').messages, [{ role: 'system', content: 'Be polite.' }]);
    });

    shows('shout.ts', 'transforms an answer, wherever its chunks end', async (addon) => {
      const body = [...Buffer.from('größe')].map((byte) => Uint8Array.of(byte));
      assert.equal((await addon.run(makeFlow({ response: { body } }))).received?.body, 'GRÖSSE');
    });

    shows('limit.ts', 'limits chats by its option, over saves', async (addon) => {
      await addon.configure({ perHour: 1 });
      assert.equal((await addon.run(chat())).received?.status, 200);
      assert.equal((await addon.run(chat())).received?.status, 429);
    });

    shows('busiest.ts', 'adds up what it is told in other workers', async (addon) => {
      await addon.run(chat());
      await addon.hear({ requests: 1 });
      await addon.hear({ requests: 1 });
      assert.deepEqual(addon.host.chain.instances[0]?.context.state, { requests: 3 });
    });

    it('all of them', () => {
      const others = ['limit.test.mjs', 'addons.config.ts', 'package.json', 'price.ts'];
      assert.deepEqual(
        Object.keys(files)
          .filter((file) => !others.includes(file))
          .sort(),
        [...covered].sort(),
      );
    });
  });
});
