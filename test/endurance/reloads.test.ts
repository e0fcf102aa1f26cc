import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import * as api from '../../core/index.ts';
import { Loader } from '../../core/loader.ts';
import { type HostKit, makeHost } from '../host-kit.ts';
import { makeFlow } from '../kit.ts';
import { makeFolder } from '../proxy-process.ts';

const RELOADS = 2_000;
/** By then, all caches are as warm as they get. */
const WARM_AFTER = 200;
/** An addon holds 5 MB: two instances that are kept would show. */
const SLACK_BYTES = 8 * 1024 * 1024;

declare global {
  /** What the addon under test leaves for the test to look at. */
  var reloadProbe: { instances: WeakRef<object>[]; bus: EventEmitter; ticks: number };
}

const ADDON = `
  import { defineAddon } from 'insight-dump';
  const probe = globalThis.reloadProbe;
  const big = { bytes: Buffer.alloc(4_000_000, 1), objects: Array.from({ length: 20_000 }, (_, i) => ({ i })) };
  probe.instances.push(new WeakRef(big));
  export default defineAddon({
    state: () => ({ loads: 0 }),
    load(ctx) { ctx.state.loads += 1; },
    running(ctx) {
      const { signal } = ctx;
      const timer = setInterval(() => { probe.ticks += big.bytes.length; }, 1);
      signal.addEventListener('abort', () => clearInterval(timer));
      const listener = () => big.objects.length;
      probe.bus.on('event', listener);
      signal.addEventListener('abort', () => probe.bus.off('event', listener));
    },
    request(flow, ctx) { flow.metadata.uncounted = String(ctx.state.loads + big.objects.length); },
  });`;

describe(`${RELOADS} reloads of an addon that holds 5 MB`, () => {
  const folder = makeFolder();
  const script = path.join(folder, 'big.ts');
  const heap: { used: number; buffers: number }[] = [];
  let kit: HostKit;
  let loader: Loader;
  let last: string | undefined;
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc') as () => void;

  before(async () => {
    globalThis.reloadProbe = { instances: [], bus: new EventEmitter().setMaxListeners(0), ticks: 0 };
    kit = makeHost();
    const watcher = { set: () => {}, delete: () => {} };
    loader = new Loader({ host: kit.host, watcher, modules: { 'insight-dump': api }, log: kit.log.child() });
    writeFileSync(script, ADDON);
    await loader.setScripts([{ path: script, name: 'big', required: false }]);
    await kit.host.start();
    for (let i = 1; i <= RELOADS; i++) {
      writeFileSync(script, `${ADDON}\n// version ${i}`);
      await loader.reload(script);
      last = await ask();
      if (i === WARM_AFTER || i === RELOADS) heap.push(await used());
    }
  });
  after(async () => {
    await kit.host.stop();
    rmSync(folder, { recursive: true });
  });

  const ask = async () => {
    const pin = kit.host.pin();
    const flow = makeFlow();
    await pin.dispatch('request', flow);
    pin.release();
    return flow.metadata.uncounted;
  };
  const used = async () => {
    for (let i = 0; i < 3; i++) {
      // Weak references hold until the end of a turn.
      await sleep(20);
      gc();
    }
    const { heapUsed, arrayBuffers } = process.memoryUsage();
    return { used: heapUsed, buffers: arrayBuffers };
  };

  it('leave the heap flat', (t) => {
    const [warm, end] = heap as [(typeof heap)[0], (typeof heap)[0]];
    const grown = { used: end.used - warm.used, buffers: end.buffers - warm.buffers };
    t.diagnostic(`after reload ${WARM_AFTER}: ${JSON.stringify(warm)}; grown since: ${JSON.stringify(grown)} bytes`);
    assert.ok(grown.used < SLACK_BYTES && grown.buffers < SLACK_BYTES, JSON.stringify(grown));
  });

  it('leave no old instance alive', () => {
    const { instances } = globalThis.reloadProbe;
    assert.equal(instances.length, RELOADS + 1);
    assert.equal(instances.slice(0, -2).filter((ref) => ref.deref() !== undefined).length, 0);
  });

  it('leave no timer and no listener behind that was bound to the signal', async () => {
    assert.equal(globalThis.reloadProbe.bus.listenerCount('event'), 1);
    const timers = process.getActiveResourcesInfo().filter((each) => each === 'Timeout');
    assert.ok(timers.length < 10, `${timers.length} timers`);
  });

  it('carry the state over', () => {
    assert.equal(last, String(RELOADS + 1 + 20_000));
  });
});
