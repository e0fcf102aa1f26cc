import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { afterEach, beforeEach, describe, it } from 'node:test';
import privacy from '../../../addons/privacy.ts';
import { type AddonTest, makeFlow, testAddon } from '../../kit.ts';
import { makeFolder } from '../../proxy-process.ts';

const PSEUDONYM = /^user-[0-9a-f]{16}$/;

describe('what others call a user', () => {
  let confdir: string;
  let addon: AddonTest;
  beforeEach(() => {
    confdir = makeFolder();
  });
  afterEach(async () => {
    await addon.stop();
    rmSync(confdir, { recursive: true });
  });

  async function begin(options: Record<string, unknown>): Promise<void> {
    addon = await testAddon(privacy, { options, confdir });
  }
  async function aliasOf(parts: { user?: string | undefined } = {}): Promise<string | undefined> {
    const flow = makeFlow(parts);
    await addon.run(flow);
    return flow.client.alias;
  }

  it('is a pseudonym, the same for the same user', async () => {
    await begin({ pseudonyms: true });
    const alias = await aliasOf();
    assert.match(alias ?? '', PSEUDONYM);
    assert.equal(await aliasOf(), alias);
    assert.notEqual(await aliasOf({ user: 'bob' }), alias);
  });

  it('is the name itself without pseudonyms, and nothing for nobody', async () => {
    await begin({});
    assert.equal(await aliasOf(), undefined);
    await addon.configure({ pseudonyms: true });
    assert.equal(await aliasOf({ user: undefined }), undefined);
  });

  it('changes on connections that are open', async () => {
    await begin({ pseudonyms: true });
    const flow = makeFlow();
    await addon.run(flow);
    assert.match(flow.client.alias ?? '', PSEUDONYM);
    await addon.configure({ pseudonyms: false });
    const next = makeFlow();
    next.client.alias = flow.client.alias;
    await addon.run(next);
    assert.equal(next.client.alias, undefined);
  });
});
