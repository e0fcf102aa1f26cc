/** What a quick run fails on: something that has become ten times as slow as it was, compared with others in the same run. */

import type { Results } from './budgets.ts';
import { allAddons, noAddon } from './contestants.ts';
import type { MeasureName } from './measures.ts';
import { ratio } from './rounds.ts';

/** Far beyond what a busy machine makes of the usual. */
const TIMES_USUAL = 10;

interface Gate {
  readonly work: string;
  readonly measure: MeasureName;
  readonly contestant: string;
  readonly to: string;
  /** What the ratio is in a quick run, before all code is compiled. */
  readonly usual: number;
}

export const GATES: readonly Gate[] = [
  { work: 'json-h1-16', measure: 'cpuMs', contestant: noAddon.name, to: 'minimal', usual: 4 },
  { work: 'json-h1-16', measure: 'cpuMs', contestant: allAddons.name, to: 'minimal', usual: 8 },
  { work: 'ghost-h2-16', measure: 'cpuMs', contestant: noAddon.name, to: 'minimal', usual: 2 },
  { work: 'ghost-h2-16', measure: 'cpuMs', contestant: allAddons.name, to: 'minimal', usual: 5 },
  { work: 'tunnels', measure: 'cpuMs', contestant: allAddons.name, to: 'minimal', usual: 3 },
  // A stream that is held back until its end lags by half of its time, which is hundreds of times as much.
  { work: 'paced', measure: 'lagP50Ms', contestant: allAddons.name, to: 'minimal', usual: 2 },
];

/** Says of each gate how it stands; `isOpen` is false where it fails, also for want of a figure. */
export function tryGates(results: Results): { said: string; isOpen: boolean }[] {
  return GATES.map(({ work, measure, contestant, to, usual }) => {
    const found = ratio(results.get(`all/${work}`) ?? new Map(), contestant, measure, to)?.median;
    const limit = usual * TIMES_USUAL;
    const isOpen = found !== undefined && found <= limit;
    const is = found === undefined ? 'was not measured' : `is ${found.toFixed(1)} × that of ${to}`;
    return { said: `${contestant}, ${work}: ${measure} ${is}; ${usual} is usual, ${limit} too much`, isOpen };
  });
}
