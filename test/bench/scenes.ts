import { BODIES } from './bodies.ts';
import { CONTESTANTS } from './contestants.ts';
import { GROWTH } from './growth.ts';
import { SAVE, savedAddon } from './saves.ts';
import { START } from './starts.ts';
import { HELD, PACED } from './streams.ts';
import { THROUGHPUT } from './throughput.ts';
import type { Scene } from './work.ts';

/** Everything that is measured, in order. */
export const SCENES: readonly Scene[] = [
  {
    name: 'all',
    title: 'Side by side',
    about: 'All do the same work in turns.',
    contestants: CONTESTANTS,
    works: [...THROUGHPUT, PACED, ...HELD, ...BODIES, START],
    ratios: [
      { measure: 'perSecond', to: 'mitmdump' },
      { measure: 'cpuMs', to: 'mockttp' },
    ],
  },
  {
    name: 'saves',
    title: 'Hot reload',
    about: savedAddon.about,
    contestants: [savedAddon],
    works: [SAVE],
    ratios: [],
  },
  ...GROWTH,
];
