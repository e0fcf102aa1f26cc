/** What was measured, held against what it is to be. */
import { allAddons } from './contestants.ts';
import { MEASURES, type MeasureName } from './measures.ts';
import { figure, type Outcomes, ratio } from './rounds.ts';
import { savedAddon } from './saves.ts';
import { written } from './table.ts';

/** Outcomes by the names of scene and work: `all/json-h1-16`. */
export type Results = ReadonlyMap<string, Outcomes>;

export interface Budget {
  readonly what: string;
  readonly wanted: string;
  /** Undefined where it was not measured. */
  judge(results: Results): Judgement | undefined;
}

export interface Judgement {
  readonly measured: string;
  readonly isMet: boolean;
}

const NONE: Outcomes = new Map();

/** A multiple of what another has. */
function multiple(
  what: string,
  work: string,
  measure: MeasureName,
  { atLeast, atMost }: { atLeast?: number; atMost?: number },
  to: string,
  contestant = allAddons.name,
): Budget {
  return {
    what,
    wanted: atLeast === undefined ? `at most ${atMost} × ${to}` : `at least ${atLeast} × ${to}`,
    judge(results) {
      const found = ratio(results.get(work) ?? NONE, contestant, measure, to);
      return (
        found && {
          measured: `${written(found, 2)} ×`,
          isMet: found.median >= (atLeast ?? 0) && found.median <= (atMost ?? Number.POSITIVE_INFINITY),
        }
      );
    },
  };
}

/** No more than so much, or so much more than without a proxy. */
function atMost(
  what: string,
  work: string,
  measure: MeasureName,
  limit: number,
  unit: string,
  { beyondDirect = false, contestant = allAddons.name } = {},
): Budget {
  return {
    what,
    wanted: `${beyondDirect ? 'direct + ' : 'at most '}${limit} ${unit}`,
    judge(results) {
      const outcomes = results.get(work) ?? NONE;
      const found = figure(outcomes, contestant, measure);
      const base = beyondDirect ? figure(outcomes, 'direct', measure) : { median: 0 };
      if (found === undefined || base === undefined) return undefined;
      const beyond = found.median - base.median;
      const { digits } = MEASURES[measure];
      return {
        measured: `${beyondDirect ? 'direct + ' : ''}${beyond.toFixed(digits)} ${unit}`,
        isMet: beyond <= limit,
      };
    },
  };
}

const AT_16 = [
  ['all/json-h1-16', '2 KB of JSON, HTTP/1.1'],
  ['all/json-h2-16', '2 KB of JSON, HTTP/2'],
  ['all/ghost-h1-16', 'completions, HTTP/1.1'],
  ['all/ghost-h2-16', 'completions, HTTP/2'],
] as const;

/** What is flat may still measure so much more: rounds differ by as much. */
const FLAT = 1.2;

function flat(what: string, work: string, contestant: string, to: string): Budget {
  return multiple(`CPU per request ${what}`, work, 'cpuMs', { atMost: FLAT }, to, contestant);
}

/** Of insight-dump with all its addons, recording, where nothing else is said. */
export const BUDGETS: readonly Budget[] = [
  ...AT_16.map(([work, title]) =>
    multiple(`Requests/s at 16 connections: ${title}`, work, 'perSecond', { atLeast: 4 }, 'mitmdump'),
  ),
  ...AT_16.map(([work, title]) =>
    multiple(`CPU per request at 16 connections: ${title}`, work, 'cpuMs', { atMost: 1 }, 'mockttp'),
  ),
  atMost('First byte of a stream', 'all/paced', 'firstByteMs', 5, 'ms', { beyondDirect: true }),
  atMost('Lag of a chunk, p50', 'all/paced', 'lagP50Ms', 0.5, 'ms', { beyondDirect: true }),
  ...(['download', 'upload'] as const).flatMap((direction) =>
    (['h1', 'h2'] as const).map((version) =>
      atMost(
        `Memory for one ${direction} of 128 MiB, ${version}`,
        `all/${direction}-${version}`,
        'grownMiB',
        16,
        'MiB more',
      ),
    ),
  ),
  atMost('Memory with 1,000 streams, h1', 'all/held-h1-1000', 'peakMiB', 300, 'MiB'),
  atMost('Memory with 1,000 streams, h2', 'all/held-h2-1000', 'peakMiB', 300, 'MiB'),
  atMost('From start until it listens', 'all/start', 'startMs', 1_000, 'ms'),
  atMost('From a save until it is live, p95', 'saves/save', 'liveP95Ms', 150, 'ms', { contestant: savedAddon.name }),
  flat('with 1,000 users', 'users/crowd', '1,000 users', '1 user'),
  flat('with a million records on disk', 'logs/json-h1-16', '1,000,000 records', 'no record'),
  flat('with 20 addons without a hook for it', 'addons/json-h1-16', '20 addons without the hook', 'no addon'),
  flat('with a user counted in 1,000 cells', 'cells/json-h1-16', '1,000 cells', '1 cell'),
];
