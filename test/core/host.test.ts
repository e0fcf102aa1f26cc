import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Addon } from '../../core/addon.ts';
import { makeHost, said, scriptOf, sourcesOf } from '../host-kit.ts';
import { makeFlow, makeTunnel } from '../kit.ts';

const never = () => new Promise<void>(() => {});

/** An addon that notes each of its hooks. */
function noting(name: string, calls: string[], more: Addon = {}): Addon {
  const note = (hook: string) => () => void calls.push(`${name} ${hook}`);
  return {
    name,
    load: note('load'),
    configure: note('configure'),
    running: note('running'),
    done: note('done'),
    ...more,
  };
}

describe('dispatching a hook', () => {
  it('calls each addon that has it, in order, sync and async, with its own this and context', async () => {
    const { host, use } = makeHost();
    const calls: string[] = [];
    await use(
      {
        name: 'one',
        async request() {
          await sleep(5);
          calls.push(`one ${(this as Addon).name}`);
        },
      },
      { name: 'two', response: () => void calls.push('wrong hook') },
      { name: 'three', request: (_flow, ctx) => void calls.push(`three ${ctx.name}`) },
    );
    const pin = host.pin();
    await pin.dispatch('request', makeFlow());
    pin.release();
    assert.deepEqual(calls, ['one one', 'three three']);
  });

  it('makes no promise when no addon did', async () => {
    const { host, use } = makeHost();
    await use({ request() {} });
    const pin = host.pin();
    assert.equal(pin.dispatch('request', makeFlow()), undefined);
    assert.equal(pin.dispatch('response', makeFlow()), undefined);
    pin.release();
  });

  it('goes on after a throw and a rejection, and says each once', async () => {
    const { host, log, use } = makeHost();
    const calls: string[] = [];
    await use(
      {
        name: 'throws',
        request() {
          throw new Error('one');
        },
      },
      { name: 'rejects', request: () => Promise.reject('two') },
      { name: 'last', request: () => void calls.push('last') },
    );
    const pin = host.pin();
    await pin.dispatch('request', makeFlow());
    pin.release();
    assert.deepEqual(calls, ['last']);
    assert.deepEqual(said(log, 'error'), [
      '[throws] request failed at /scripts/throws.ts: one',
      '[rejects] request failed at /scripts/rejects.ts: two',
    ]);
  });

  it('cuts a hook that never settles at the time limit, by name, and goes on', async () => {
    const { host, log, use } = makeHost({ limits: { hookTimeoutMs: 20 } });
    const calls: string[] = [];
    await use({ name: 'hangs', request: never }, { name: 'last', request: () => void calls.push('last') });
    const pin = host.pin();
    await pin.dispatch('request', makeFlow());
    pin.release();
    assert.deepEqual(calls, ['last']);
    assert.match(
      said(log, 'error')[0] ?? '',
      /^\[hangs\] request failed at \/scripts\/hangs\.ts: request did not finish within 20 ms/,
    );
  });

  it('fails when an addon that is required fails', async () => {
    const { host } = makeHost();
    const addon: Addon = {
      name: 'gate',
      request() {
        throw new Error('no');
      },
    };
    const script = scriptOf(addon, { required: true });
    host.apply([{ script: script.path, name: 'x', required: true, instances: await host.prepare(script) }]);
    const pin = host.pin();
    assert.throws(() => pin.dispatch('request', makeFlow()), { code: 'requiredAddonFailed' });
    pin.release();
  });

  it('fails when an addon that authenticates fails to say who it is, and only then', async () => {
    const { host, use } = makeHost({ limits: { hookTimeoutMs: 10 } });
    const fails = () => {
      throw new Error('no');
    };
    const hangs = () => new Promise(() => {});
    for (const connect of [fails, hangs]) {
      await use({ name: 'gate', authenticates: true, connect, requestHeaders: connect });
      const pin = host.pin();
      await assert.rejects(async () => pin.dispatch('connect', makeTunnel()), { code: 'requiredAddonFailed' });
      await pin.dispatch('requestHeaders', makeFlow());
      pin.release();
    }
  });

  it('is blocked by a required script without addons', () => {
    const { host } = makeHost();
    host.apply([{ script: '/gate.ts', name: 'gate', required: true, instances: [] }]);
    assert.equal(host.chain.blockedBy, '/gate.ts');
  });
});

describe('the life of an addon', () => {
  it('is load, configure, running, done', async () => {
    const { host, use } = makeHost();
    const calls: string[] = [];
    await use(noting('one', calls), noting('two', calls));
    assert.deepEqual(calls.splice(0), ['one load', 'one configure', 'two load', 'two configure']);
    await host.start();
    assert.deepEqual(calls.splice(0), ['one running', 'two running']);
    await host.stop();
    assert.deepEqual(calls.splice(0).sort(), ['one done', 'two done']);
  });

  it('ends its signal before done', async () => {
    const { host, use } = makeHost();
    const aborted: boolean[] = [];
    await use({
      running: ({ signal }) => void aborted.push(signal.aborted),
      done: ({ signal }) => void aborted.push(signal.aborted),
    });
    await host.start();
    await host.stop();
    assert.deepEqual(aborted, [false, true]);
  });

  it('replaces: new load and configure, swap, old done, new running', async () => {
    const { host, use } = makeHost();
    const calls: string[] = [];
    await use(noting('one', calls));
    await host.start();
    calls.length = 0;
    const fresh = { ...noting('new', calls), name: 'one', request: () => void calls.push('new request') };
    await use(fresh);
    assert.equal(host.chain.instances[0]?.addon, fresh);
    await sleep(5);
    assert.deepEqual(calls, ['new load', 'new configure', 'one done', 'new running']);
    await host.stop();
  });

  for (const hook of ['load', 'configure'] as const) {
    for (const [what, fail] of [
      [
        'throws',
        () => {
          throw new Error('no');
        },
      ],
      ['rejects', () => Promise.reject(new Error('no'))],
      ['never settles', never],
    ] as const) {
      it(`keeps the old one when ${hook} of the new one ${what}`, async () => {
        const { host, use } = makeHost({ limits: { lifecycleTimeoutMs: 20 } });
        const calls: string[] = [];
        const old = noting('one', calls);
        await use(old);
        await host.start();
        const signals: AbortSignal[] = [];
        const broken: Addon = { name: 'one', load: ({ signal }) => void signals.push(signal), [hook]: fail };
        await assert.rejects(use(broken), {
          code: 'lifecycleFailed',
          message: new RegExp(`^/scripts/one\\.ts: addon one failed in ${hook}: `),
        });
        assert.equal(host.chain.instances[0]?.addon, old);
        assert.doesNotMatch(calls.join(), /done/);
        assert.ok(signals.every(({ aborted }) => aborted));
      });
    }
  }

  for (const hook of ['running', 'done'] as const) {
    it(`goes on, and says so, when ${hook} throws or never settles`, async () => {
      for (const fail of [
        () => {
          throw new Error('no');
        },
        never,
      ]) {
        const { host, log, use } = makeHost({ limits: { lifecycleTimeoutMs: 20 } });
        await use({ name: 'bad', [hook]: fail });
        await host.start();
        await host.stop();
        assert.match(said(log, 'error').join(), new RegExp(`^\\[bad\\] ${hook} failed at /scripts/bad\\.ts: `));
      }
    });
  }

  it('may bind any number of things to its signal', async () => {
    const { use } = makeHost();
    const warnings: Error[] = [];
    const listen = (warning: Error) => void warnings.push(warning);
    process.on('warning', listen);
    await use({
      load({ signal }) {
        for (let i = 0; i < 50; i++) signal.addEventListener('abort', () => {});
      },
    });
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    assert.deepEqual(warnings, []);
  });

  it('refuses two addons of one name, and changes nothing', async () => {
    const { host, use } = makeHost();
    await use({ name: 'one' });
    const { chain } = host;
    const calls: string[] = [];
    const other = scriptOf({ name: 'one', load: () => calls.push('load') }, { path: '/scripts/other.ts' });
    const refused = {
      code: 'duplicateAddon',
      message: /"one": in \/scripts\/one\.ts and in \/scripts\/other\.ts/,
    };
    await assert.rejects(host.prepare(other), refused);
    assert.deepEqual(calls, []);
    // Both may have been prepared while the other was not to stay.
    const instances = await host.prepare(other, undefined, () => false);
    const slot = { script: other.path, name: 'x', required: false, instances };
    assert.throws(() => host.apply([...chain.slots, slot]), refused);
    assert.equal(host.chain, chain);
  });
});

describe('a flow', () => {
  it('goes on with the addons it began with; new ones get the new', async () => {
    const { host, use } = makeHost();
    const calls: string[] = [];
    const version = (n: number): Addon => ({
      name: 'one',
      response: () => void calls.push(`v${n}`),
      done: () => void calls.push(`v${n} done`),
    });
    await use(version(1));
    await host.start();
    const old = host.pin();
    await use(version(2));
    const fresh = host.pin();
    await fresh.dispatch('response', makeFlow());
    await old.dispatch('response', makeFlow());
    assert.deepEqual(calls, ['v2', 'v1']);
    fresh.release();
    old.release();
    await sleep(5);
    assert.deepEqual(calls, ['v2', 'v1', 'v1 done']);
  });

  it('moves on to the new ones after the drain limit, so that nothing of it is lost', async () => {
    const { host, use } = makeHost({ limits: { drainMs: 20 } });
    const calls: string[] = [];
    const version = (n: number): Addon => ({
      name: 'one',
      response: () => void calls.push(`v${n}`),
      done: () => void calls.push(`v${n} done`),
    });
    await use(version(1));
    await host.start();
    const old = host.pin();
    await use(version(2));
    await sleep(60);
    await old.dispatch('response', makeFlow());
    old.release();
    assert.deepEqual(calls, ['v1 done', 'v2']);
  });

  it('that has outlived the drain limit once holds up no other replacement', async () => {
    const { host, use } = makeHost({ limits: { drainMs: 300 } });
    const calls: string[] = [];
    const version = (n: number): Addon => ({ name: 'one', done: () => void calls.push(`v${n} done`) });
    const kept = scriptOf({ name: 'kept', done: () => void calls.push('kept done') }, { path: '/scripts/kept.ts' });
    await use(version(1));
    const slot = { script: kept.path, name: 'x', required: false, instances: await host.prepare(kept) };
    host.apply([...host.chain.slots, slot]);
    await host.start();
    const old = host.pin();
    host.apply([slot]);
    await sleep(400);
    assert.deepEqual(calls, ['v1 done']);
    host.apply([]);
    await sleep(50);
    assert.deepEqual(calls, ['v1 done', 'kept done']);
    old.release();
  });

  it('holds on to an addon through several replacements of others', async () => {
    const { host, use } = makeHost({ limits: { drainMs: 5_000 } });
    const calls: string[] = [];
    const kept: Addon = { name: 'kept', done: () => void calls.push('kept done') };
    const script = scriptOf(kept);
    const slot = { script: script.path, name: 'x', required: false, instances: await host.prepare(script) };
    host.apply([slot]);
    await host.start();
    const pin = host.pin();
    const other = scriptOf({ name: 'other' }, { path: '/scripts/other.ts' });
    host.apply([slot, { script: other.path, name: 'x', required: false, instances: await host.prepare(other) }]);
    await use();
    await sleep(20);
    assert.deepEqual(calls, []);
    pin.release();
    await sleep(5);
    assert.deepEqual(calls, ['kept done']);
  });
});

describe('options that change', () => {
  const options = z.object({ word: z.string().default('a'), other: z.number().default(1) });

  it('are configured for just those addons whose options they are, with their names', async () => {
    const { host, use } = makeHost();
    const calls: string[] = [];
    const addon = (name: string): Addon<typeof options> => ({
      name,
      options,
      configure: (ctx, changed) => void calls.push(`${name} ${[...changed]} ${ctx.options.word}`),
    });
    await use(addon('one') as Addon, addon('two') as Addon);
    calls.length = 0;
    await host.reconfigure(sourcesOf({ two: { word: 'b' } }));
    assert.deepEqual(calls, ['two word b']);
  });

  it('are all rolled back when one addon refuses', async () => {
    const { host, use } = makeHost();
    const seen: Record<string, string> = {};
    const addon = (name: string): Addon<typeof options> => ({
      name,
      options,
      configure({ options: { word } }) {
        if (word === 'bad') throw new Error('not that word');
        seen[name] = word;
      },
    });
    await use(addon('one') as Addon, addon('two') as Addon);
    const change = host.reconfigure(sourcesOf({ one: { word: 'b' }, two: { word: 'bad' } }));
    await assert.rejects(change, { message: '/scripts/two.ts: addon two failed in configure: not that word' });
    assert.deepEqual(seen, { one: 'a', two: 'a' });
    assert.deepEqual(
      host.chain.instances.map(({ context }) => (context.options as { word: string }).word),
      ['a', 'a'],
    );
  });

  it('change nothing when a value is wrong', async () => {
    const { host, use } = makeHost();
    await use({ name: 'one', options });
    await assert.rejects(host.reconfigure(sourcesOf({ one: { word: 1 } })), { code: 'optionsInvalid' });
  });
});

describe('state', () => {
  it('survives reloads, and takes in what a new version adds', async () => {
    const { host, use } = makeHost();
    const states: unknown[] = [];
    const version = (state: () => object): Addon => ({
      name: 'one',
      state,
      load: (ctx) => void states.push(ctx.state),
    });
    await use(version(() => ({ count: 0 })));
    (states[0] as { count: number }).count = 5;
    await use(version(() => ({ count: 0, added: true })));
    assert.equal(states[1], states[0]);
    assert.deepEqual(states[1], { count: 5, added: true });
    await host.stop();
  });
});
