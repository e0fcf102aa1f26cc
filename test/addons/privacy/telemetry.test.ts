import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import privacy from '../../../addons/privacy.ts';
import type { TelemetryBatch } from '../../../core/addon.ts';
import { type AddonTest, makeFlow, testAddon } from '../../kit.ts';

const TOKEN = `ghp_${'a1B2'.repeat(9)}`;

describe('telemetry under the rules of privacy', () => {
  let addon: AddonTest;
  afterEach(() => addon.stop());

  /** What becomes of a batch of alice's. */
  async function judged(options: object): Promise<TelemetryBatch> {
    addon = await testAddon(privacy, { options: options as Record<string, unknown> });
    const batch: TelemetryBatch = { user: 'alice', groups: [], keep: 'all', events: [{ name: 'x', text: TOKEN }] };
    const pin = addon.host.pin();
    await pin.dispatch('telemetry', batch, makeFlow());
    pin.release();
    return batch;
  }

  it('is kept as an exchange would be', async () => {
    assert.equal((await judged({})).keep, 'all');
    await addon.stop();
    assert.equal((await judged({ users: { alice: 'metadata-only' } })).keep, 'metadata');
    await addon.stop();
    assert.equal((await judged({ users: { alice: 'off' } })).keep, 'nothing');
  });

  it('has the pseudonym of its user', async () => {
    assert.match((await judged({ pseudonyms: true })).user, /^user-[0-9a-f]{16}$/);
  });

  it('is masked', async () => {
    const { keep, events } = await judged({ mask: true });
    assert.equal(keep, 'all');
    assert.doesNotMatch(JSON.stringify(events), new RegExp(TOKEN));
  });
});
