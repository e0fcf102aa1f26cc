import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { Logs } from '../../core/log.ts';
import { eventually, makeFolder } from '../proxy-process.ts';

describe('the log', () => {
  let dir: string;
  let printed: string;
  const write = process.stdout.write;
  beforeEach(() => {
    dir = makeFolder();
    printed = '';
    // The test runner writes there as well: only lines with our time at their head are ours.
    process.stdout.write = ((chunk: string | Uint8Array, ...rest: []) => {
      if (typeof chunk === 'string' && /^\S*\d\d:\d\d:\d\d/.test(chunk)) printed += chunk;
      return write.call(process.stdout, chunk, ...rest);
    }) as typeof write;
  });
  afterEach(() => {
    process.stdout.write = write;
    rmSync(dir, { recursive: true });
  });

  const entries = () =>
    readFileSync(path.join(dir, 'insight-dump.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));

  it('has one line an event on the console, and the same as JSON in the file', async () => {
    const logs = new Logs({ dir, level: 'info', color: false });
    logs.child('usage').info('😄 saved');
    logs.child('usage').warn('careful', { why: 'because' });
    logs.child().error('broken', new TypeError('inside'));
    logs.child().debug('whispered');
    await logs.close();
    const lines = printed
      .trim()
      .split('\n')
      .map((line) => line.slice(9));
    assert.deepEqual(lines, ['😄 saved', '⚠️  [usage] careful', '❌ broken']);
    const all = entries();
    assert.deepEqual(
      all.map(({ level, addon, message }) => [level, addon, message]),
      [
        ['info', 'usage', '😄 saved'],
        ['warn', 'usage', 'careful'],
        ['error', undefined, 'broken'],
        ['debug', undefined, 'whispered'],
      ],
    );
    assert.deepEqual(all[1].detail, { why: 'because' });
    assert.equal(all[2].detail.name, 'TypeError');
    assert.match(all[2].detail.stack, /log\.test\.ts/);
  });

  it('shows as much as its level, and colors when it is told to', async () => {
    const logs = new Logs({ dir, level: 'error', color: true });
    logs.child().info('no');
    logs.child().error('yes');
    await logs.close();
    assert.doesNotMatch(printed, /no/);
    assert.ok(printed.includes('\u001b[31myes'));
  });

  it('writes no credential, not even one in an error or a detail', async () => {
    const logs = new Logs({ dir, level: 'debug', color: false });
    logs.child().info('Bearer abcdef123456');
    logs.child().error('x', new Error('http://u:p4ss@h/', { cause: new Error('Bearer zzzzzzzz') }));
    logs.child().warn('x', { header: 'Bearer yyyyyyyy' });
    await logs.close();
    const text = readFileSync(path.join(dir, 'insight-dump.log'), 'utf8') + printed;
    assert.doesNotMatch(text, /abcdef123456|p4ss|zzzzzzzz|yyyyyyyy/);
  });

  it('goes on when its file cannot be written', async () => {
    mkdirSync(path.join(dir, 'insight-dump.log'));
    const logs = new Logs({ dir, level: 'info', color: false });
    logs.child().info('still here');
    await logs.close();
    assert.match(printed, /cannot write .*insight-dump\.log: EISDIR/);
    assert.match(printed, /still here/);
  });

  it('goes on on the console whatever becomes of its file, and in that once it can be written again', {
    skip: !existsSync('/dev/full') && 'there is no /dev/full',
  }, async () => {
    const file = path.join(dir, 'insight-dump.log');
    symlinkSync('/dev/full', file);
    const logs = new Logs({ dir, level: 'info', color: false });
    const times = (text: string) => printed.split(text).length - 1;
    for (let i = 0; i < 1_000; i++) logs.child().info('lost', 'x'.repeat(1_000));
    await eventually('all is said', () => times('cannot write') === 1 && times('lost') === 1_000);
    rmSync(file);
    await eventually('it says so', () => {
      logs.child().info('on');
      return times('is written again') === 1;
    });
    logs.child().info('kept');
    await logs.close();
    assert.equal(times('cannot write'), 1);
    const messages = entries().map(({ message }) => message);
    assert.equal(messages.at(-1), 'kept');
    assert.ok(messages.some((message) => /is written again/.test(message)));
  });
});
