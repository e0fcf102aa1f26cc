import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { tryTunnel } from '../clients.ts';
import type { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

describe('somebody who guesses passwords', () => {
  let proxy: ProxyProcess;
  setStage(
    { config: `export default { addons: ['addons/auth.ts'], options: { auth: { users: ['alice'] } } };` },
    undefined,
    (stage) => {
      ({ proxy } = stage);
    },
  );

  const connect = async (password: string) => (await tryTunnel(proxy, API_HOST, 'alice', password)).status;

  it('can hold few connections, and none of those who are right from the same address', async () => {
    let open = 300;
    const guesses = Array.from({ length: open }, async (_, i) => {
      const status = await connect(`guess ${i}`);
      open -= 1;
      return status;
    });
    const statuses: number[] = [];
    // Those that are refused do not wait for those that are held back.
    while (open > 10) statuses.push(await connect(proxy.password('alice')));
    assert.ok(statuses.length > 0 && statuses.every((status) => status === 200));
    const all = await Promise.all(guesses);
    assert.ok(all.filter((status) => status === 429).length >= 250, all.join(' '));
    assert.ok(all.filter((status) => status === 407).length >= 30, all.join(' '));
  });
});
