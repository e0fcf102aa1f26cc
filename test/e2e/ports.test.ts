import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openTunnel } from '../clients.ts';
import { tcpListeners } from '../process-stats.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { PROXY_HOST } from '../requests.ts';
import { setBusyStage } from '../stage.ts';
import { configOf, tagging } from '../tagging.ts';
import type { Traffic } from '../traffic.ts';

/** 127.0.0.1, as /proc has it. */
const LOOPBACK = '0100007F';
const LOOKS = 40;
const LOOK_PAUSE_MS = 50;
const SAVE_EVERY_LOOKS = 10;

describe('the ports that the process listens on', () => {
  let proxy: ProxyProcess;
  let traffic: Traffic;
  setBusyStage({ config: configOf(`'tag.ts'`), files: { 'tag.ts': tagging('0') } }, (stage) => {
    ({ proxy, traffic } = stage);
  });

  const frontDoor = () => [`${LOOPBACK}:${proxy.port}`];

  it('are the front door alone, during traffic, new tunnels and reloads', async () => {
    for (let i = 0; i < LOOKS; i++) {
      if (i % SAVE_EVERY_LOOKS === 0) proxy.write('tag.ts', tagging(String(i)));
      const socket = await openTunnel(proxy, 'alice', PROXY_HOST);
      assert.deepEqual(tcpListeners(proxy.pid), frontDoor());
      socket.destroy();
      await sleep(LOOK_PAUSE_MS);
    }
    await eventually('the last save is live', async () => (await traffic.tag()) === String(LOOKS - SAVE_EVERY_LOOKS));
  });

  it('are the front door alone once the traffic is over', async () => {
    await traffic.stop();
    assert.deepEqual(tcpListeners(proxy.pid), frontDoor());
  });
});
