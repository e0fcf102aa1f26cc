import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, it } from 'node:test';
import { z } from 'zod';
import telemetry from '../../addons/telemetry.ts';
import type { Acceptance, Addon } from '../../core/addon.ts';
import { type AddonTest, type FlowParts, makeFlow, makeTunnel, testAddon } from '../kit.ts';
import { eventually, makeFolder } from '../proxy-process.ts';
import { PLANTED, suggestion, WITH_TEXT } from '../telemetry.ts';

const TELEMETRY = 'https://telemetry.individual.githubcopilot.com/telemetry';
const BATCH = [WITH_TEXT, suggestion('shown', 'python'), suggestion('accepted', 'python')];

describe('the telemetry addon', () => {
  let logs: string;
  let addon: AddonTest;
  beforeEach(() => {
    logs = makeFolder();
  });
  afterEach(async () => {
    await addon.stop();
    rmSync(logs, { recursive: true });
  });

  const begin = async (mode?: string, before: readonly Addon[] = []) => {
    const options = z.object({ mode: z.string().optional() });
    addon = await testAddon(telemetry, { logs, options: mode === undefined ? {} : { mode } });
    const others = before.map((each, i) => ({ name: `other-${i}`, addon: { ...each, options } }));
    await addon.begin([...others, { name: 'telemetry', addon: telemetry as unknown as Addon }]);
  };
  const send = (parts: FlowParts = {}) =>
    addon.run(makeFlow({ url: TELEMETRY, body: JSON.stringify(BATCH), response: { body: '{}' }, ...parts }));
  const written = async () => {
    await addon.stop();
    const folder = path.join(logs, 'telemetry');
    if (!existsSync(folder)) return '';
    return readdirSync(folder)
      .map((name) => readFileSync(path.join(folder, name), 'utf8'))
      .join('');
  };
  /** Takes note of acceptances. */
  const counter = (): Addon & { told: Acceptance[] } => {
    const told: Acceptance[] = [];
    return { told, acceptance: (acceptance: Acceptance) => void told.push(acceptance) } as never;
  };

  it('lets nothing in when it is off, which it is by default', async () => {
    await begin();
    for (const host of ['telemetry.individual.githubcopilot.com', 'copilot-telemetry.githubusercontent.com']) {
      const tunnel = await addon.connect(makeTunnel({ host, decision: 'passthrough' }));
      assert.equal(tunnel.decision, 'passthrough');
      assert.equal(tunnel.isDecided, false);
    }
  });

  for (const mode of ['counts', 'full']) {
    it(`lets Copilot’s telemetry in with "${mode}", and nothing else`, async () => {
      await begin(mode);
      const decisionOf = async (host: string, port = 443) =>
        (await addon.connect(makeTunnel({ host, port, decision: 'passthrough' }))).decision;
      for (const host of [
        'telemetry.individual.githubcopilot.com',
        'telemetry.githubcopilot.com',
        'copilot-telemetry.githubusercontent.com',
      ])
        assert.equal(await decisionOf(host), 'intercept', host);
      for (const host of ['dc.services.visualstudio.com', 'telemetry.example.com', 'xtelemetry.githubcopilot.com'])
        assert.equal(await decisionOf(host), 'passthrough', host);
      assert.equal(await decisionOf('telemetry.githubcopilot.com', 80), 'passthrough');
      const denied = makeTunnel({ host: 'telemetry.githubcopilot.com' });
      denied.deny(407);
      assert.equal((await addon.connect(denied)).decision, 'deny');
    });
  }

  it('writes nothing with "counts", and has the others told of numbers', async () => {
    const others = counter();
    await begin('counts', [others]);
    const { received, sent } = await send({ groups: ['red'], headers: { 'editor-version': 'vscode/1' } });
    assert.equal(received?.body, '{}');
    assert.equal(sent?.body, JSON.stringify(BATCH));
    const [{ timeMs, ...told } = {} as Acceptance, ...more] = others.told;
    assert.ok(Math.abs(timeMs - Date.now()) < 60_000);
    assert.deepEqual(told, {
      user: 'alice',
      groups: ['red'],
      editor: 'vscode-1',
      language: 'python',
      shown: 1,
      accepted: 1,
      rejected: 0,
      acceptedLines: 2,
      acceptedCharacters: 40,
    });
    assert.deepEqual(more, []);
    assert.equal(await written(), '');
    assert.deepEqual(readdirSync(logs), []);
  });

  it('has others told of nothing that failed, since it is sent once more, nor of a GET', async () => {
    const others = counter();
    await begin('counts', [others]);
    await send({ response: { status: 503 } });
    await send({ error: { by: 'upstream', code: 'X', message: '' } });
    await send({ method: 'GET' });
    await send({ url: `${TELEMETRY}/elsewhere` });
    assert.deepEqual(others.told, []);
    await send({ url: `${TELEMETRY}?x=1` });
    assert.equal(others.told.length, 1);
  });

  it('records each batch with "full", without credentials', async () => {
    await begin('full');
    const secret = 'Bearer ghu_0123456789abcdef';
    await send({
      headers: { authorization: secret },
      body: JSON.stringify([{ text: `say "${secret}"` }, WITH_TEXT]),
    });
    await send();
    const text = await written();
    const [first, second] = text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    assert.deepEqual(Object.keys(first), ['time', 'user', 'events']);
    assert.equal(first.user, 'alice');
    assert.deepEqual(first.events, [{ text: 'say "Bearer ***"' }, WITH_TEXT]);
    assert.deepEqual(second.events, BATCH);
    const [file] = readdirSync(path.join(logs, 'telemetry'));
    assert.match(file ?? '', /^telemetry_\d{4}-\d\d-\d\d\.ndjson$/);
    assert.equal(statSync(path.join(logs, 'telemetry', file ?? '')).mode & 0o777, 0o600);
  });

  it('keeps what others say that may be kept', async () => {
    const others = counter();
    const privacy: Addon = {
      telemetry(batch) {
        batch.keep = batch.user === 'bob' ? 'nothing' : 'metadata';
        batch.user = 'a pseudonym';
      },
    };
    await begin('full', [others, privacy]);
    for (const user of ['alice', 'bob']) await send({ user });
    assert.deepEqual(
      others.told.map(({ user }) => user),
      ['a pseudonym'],
    );
    const text = await written();
    assert.doesNotMatch(text, new RegExp(`${PLANTED}|alice|bob`));
    const { user, events } = JSON.parse(text);
    assert.equal(user, 'a pseudonym');
    assert.deepEqual(events[0], { name: 'agent/request.sent', measurements: { promptCharLen: 2_000 } });
  });

  it('says once that it cannot record, and that it can again', async () => {
    await begin('full');
    rmSync(logs, { recursive: true });
    writeFileSync(logs, 'no folder');
    for (let i = 0; i < 3; i++) await send();
    await eventually('the error', () => addon.log.of('error').length > 0);
    rmSync(logs);
    await send();
    assert.notEqual(await written(), '');
    assert.match(addon.log.of('warn').join(), /^telemetry is recorded again; batches lost: [123]$/);
    assert.equal(addon.log.of('error').length, 1);
  });

  it('is not impressed by hostile bodies', async () => {
    const others = counter();
    await begin('full', [others]);
    const deep = '['.repeat(200_000) + ']'.repeat(200_000);
    for (const body of [deep, '{"data":', '\u0000\ud800', 'null', '"x"', '[[[]]]', '\n'.repeat(100_000)])
      assert.equal((await send({ body })).received?.status, 200);
    await send({ body: Buffer.from('no gzip'), headers: { 'content-encoding': 'gzip' } });
    assert.deepEqual(others.told, []);
    assert.deepEqual(addon.log.of('warn', 'error'), []);
  });
});
