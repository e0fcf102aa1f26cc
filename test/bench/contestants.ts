import type { Contestant } from './contestant.ts';
import { insightDump, shippedConfig } from './insight-dump.ts';
import { direct, minimal, mitmdump, mockttp } from './other-contestants.ts';

export const noAddon = insightDump({
  name: 'insight-dump, no addon',
  about: 'insight-dump by itself',
  config: 'export default { addons: [], flowDetail: 0 };',
});

export const allAddons = insightDump({
  name: 'insight-dump, all addons',
  about: 'insight-dump with the addons of `addons.config.ts`: each exchange is recorded and counted',
  config: shippedConfig(['alice']),
  users: ['alice'],
  isRecording: true,
});

/** In the order in which they take turns. */
export const CONTESTANTS: readonly Contestant[] = [direct, minimal, mockttp, noAddon, allAddons, mitmdump];
