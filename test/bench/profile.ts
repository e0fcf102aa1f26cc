/** What a CPU profile of V8's says at a glance. */
import path from 'node:path';
import type { Table } from './table.ts';

/** The part of a profile that is read here. */
export interface CpuProfile {
  readonly nodes: readonly ProfileNode[];
  /** Ids of the nodes that were found running. */
  readonly samples?: readonly number[];
  /** Before each sample, in µs. */
  readonly timeDeltas?: readonly number[];
}

interface ProfileNode {
  readonly id: number;
  readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
}

const ROWS = 20;
/** What V8 calls the time in which nothing was to be done, and the call by which the probe begins and ends a profile. */
const NOT_WORK: ReadonlySet<string> = new Set(['(idle)', 'dispatch']);

/** The functions in which most of the busy time went by, without what they called. */
export function topOf({ nodes, samples = [], timeDeltas = [] }: CpuProfile): Table {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]));
  const spent = new Map<string, number>();
  let busy = 0;
  for (const [i, id] of samples.entries()) {
    const name = names.get(id) ?? '';
    if (NOT_WORK.has(name)) continue;
    const delta = timeDeltas[i] ?? 0;
    busy += delta;
    spent.set(name, (spent.get(name) ?? 0) + delta);
  }
  const rows = [...spent].sort(([, one], [, other]) => other - one).slice(0, ROWS);
  return [['', '% of busy time'], ...rows.map(([name, time]) => [name, ((time / busy) * 100).toFixed(1)])];
}

function nameOf({ functionName, url, lineNumber }: ProfileNode['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  return url === '' ? name : `${name} ${path.basename(url)}:${lineNumber + 1}`;
}
