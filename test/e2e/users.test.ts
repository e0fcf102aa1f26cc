import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync, rmSync, statSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { missing, tryTunnel } from '../clients.ts';
import { CliProcess, eventually, makeFolder, ProxyProcess, ROOT } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';

const config = (auth: object, more = '') =>
  `export default { addons: ['addons/auth.ts'], options: { auth: ${JSON.stringify(auth)} }, ${more} };`;

describe('insight-dump users', async () => {
  let folder: string;
  let running: ProxyProcess | undefined;
  beforeEach(() => {
    folder = makeFolder();
  });
  afterEach(async () => {
    await running?.stop({ keep: true });
    running = undefined;
    rmSync(folder, { recursive: true });
  });

  const users = async (args: readonly string[], input?: string) => {
    const given = input === undefined ? {} : { input };
    const cli = new CliProcess({ args: ['users', ...args], folder, listenByConfig: true, ...given });
    const code = await cli.ended;
    return { code, output: cli.output };
  };
  const setConfig = (auth: object, more?: string) => makeFolder({ 'addons.config.ts': config(auth, more) }, folder);
  const read = (file: string) => readFileSync(path.join(folder, file), 'utf8');
  /** User and password out of a proxy's URL. */
  const credentials = (output: string): [string, string] => {
    const { username, password } = new URL(/http:\S+/.exec(output)?.[0] ?? '');
    return [decodeURIComponent(username), decodeURIComponent(password)];
  };
  const lines = (output: string) => output.trimEnd().split('\n');

  it('adds users that a running proxy takes in, shows their URL, and removes them', async () => {
    const proxy = await ProxyProcess.start({ config: config({ users: ['alice'] }), folder });
    running = proxy;
    const status = async (...login: [string, string]) => (await tryTunnel(proxy, API_HOST, ...login)).status;
    const added = await users(['add', 'zoë b', '--group', 'red', '--group', 'blue']);
    assert.equal(added.code, 0);
    assert.match(
      added.output,
      /^zoë b is added, in logs\/user_auth\.json\nhttp:\/\/zo%C3%AB%20b:[0-9a-f]{24}@127\.0\.0\.1:8080\n$/,
    );
    const login = credentials(added.output);
    // A tunnel into nowhere, but one that has been granted.
    await eventually('zoë is let in', async () => (await status(...login)) === 200);
    assert.deepEqual(credentials((await users(['show', 'zoë b'])).output), login);
    assert.equal(await status('alice', proxy.password('alice')), 200);

    const { output } = await users(['list']);
    assert.deepEqual(lines(output), [
      'USER   FROM                 GROUPS       LAST SEEN',
      'zoë b  logs/user_auth.json  red, blue',
      'alice  the config',
    ]);
    assert.equal(statSync(path.join(folder, 'logs/user_auth.json')).mode & 0o777, 0o600);

    const removed = await users(['remove', 'zoë b']);
    assert.deepEqual([removed.code, removed.output], [0, 'zoë b is removed from logs/user_auth.json\n']);
    await eventually('zoë is let in no more', async () => (await status(...login)) === 407);
  });

  it('sets passwords from standard input', async () => {
    setConfig({});
    await users(['add', 'bob', '--group', 'red']);
    const set = await users(['passwd', 'bob'], 'pä:ss/wörd@?\r\nmore\n');
    assert.deepEqual([set.code, set.output], [0, 'bob has another password, in logs/user_auth.json\n']);
    const shown = (await users(['show', 'bob'])).output;
    assert.equal(shown, 'http://bob:p%C3%A4%3Ass%2Fw%C3%B6rd%40%3F@127.0.0.1:8080\n');
    assert.deepEqual(JSON.parse(read('logs/user_auth.json')), { bob: { password: 'pä:ss/wörd@?', groups: ['red'] } });
    const none = await users(['passwd', 'bob'], '\n');
    assert.deepEqual(
      [none.code, none.output],
      [1, 'insight-dump: users: the password is empty; editors would send none at all\n'],
    );
  });

  it('refuses what it does not understand, as wrong usage', async () => {
    const { code, output } = await users(['passwd', 'bob', '--password', 'x']);
    assert.equal(code, 2);
    assert.match(output, /^insight-dump: users: Unknown option '--password'.*\n$/);
  });

  it('asks for a password on a terminal without showing it', async () => {
    setConfig({});
    await users(['add', 'bob']);
    const typed = await onTerminal(folder, ['passwd', 'bob'], ['open sesame\r', 'open sesame\r']);
    assert.match(typed, /Password for bob: \r?\nThe same again: \r?\nbob has another password/);
    assert.doesNotMatch(typed, /sesame/);
    assert.match(await onTerminal(folder, ['passwd', 'bob'], ['one\r', 'other\r']), /two different passwords/);
    assert.match(await onTerminal(folder, ['passwd', 'bob'], ['open sesame\ropen sesame\r']), /has another password/);
    assert.match(await onTerminal(folder, ['passwd', 'bob'], ['\u0003']), /no password was given/);
    assert.equal(JSON.parse(read('logs/user_auth.json')).bob.password, 'open sesame');
  });

  it('makes hashes that Apache’s own tool takes', {
    skip: await missing('htpasswd', '-nbs', 'user', 'password'),
  }, async () => {
    setConfig({ htpasswd: 'users' });
    const [user, password] = credentials((await users(['add', 'alice'])).output);
    await promisify(execFile)('htpasswd', ['-vb', path.join(folder, 'users'), user, password]);
  });

  it('loses no user when several are added at once', async () => {
    const names = ['a', 'b', 'c', 'd'];
    await Promise.all(names.map((name) => users(['add', name])));
    assert.deepEqual(Object.keys(JSON.parse(read('logs/user_auth.json'))).sort(), names);
  });

  it('knows which config counts from the flags', async () => {
    makeFolder({ 'there/my.config.ts': config({ htpasswd: 'users' }, 'listenHost: "::1", listenPort: 3128') }, folder);
    const { output } = await users(['add', 'alice', '--config', 'there/my.config.ts']);
    assert.match(output, /^alice is added, in there\/users\nhttp:\/\/alice:\w+@\[::1\]:3128\n$/);
  });
});

/** Types these into the command on a terminal, each when the one before has been asked for; returns what that shows. */
async function onTerminal(folder: string, args: readonly string[], typed: readonly string[]): Promise<string> {
  const cli = [process.execPath, path.join(ROOT, 'dist/cli.js'), '--confdir', 'conf', 'users', ...args];
  const child = execFile('script', ['-qec', cli.map((each) => `'${each}'`).join(' '), '/dev/null'], { cwd: folder });
  let shown = '';
  child.stdout?.on('data', (text: string) => {
    shown += text;
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  for (const [i, text] of typed.entries()) {
    await eventually(
      () => `prompt ${i} in ${shown}`,
      () => (shown.match(/: /g)?.length ?? 0) > i,
    );
    child.stdin?.write(text);
  }
  await ended;
  return shown;
}
