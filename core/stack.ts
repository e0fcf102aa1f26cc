import path from 'node:path';
import { fileURLToPath } from 'node:url';

/** A place in an author's file. */
export interface Place {
  file: string;
  line: number;
  column: number;
}

/**
 * Where in `files` an error was thrown: the first frame of its stack that lies in one of them. Stacks name TypeScript
 * lines, because source maps are on.
 */
export function placeIn(error: unknown, files: ReadonlySet<string>): Place | undefined {
  const stack = error instanceof Error ? error.stack : undefined;
  for (const [, location, line, column] of (stack ?? '').matchAll(FRAME)) {
    const file = location?.startsWith('file:') ? fileURLToPath(location) : (location ?? '');
    if (files.has(file)) return { file, line: Number(line), column: Number(column) };
  }
  return undefined;
}

const FRAME = /(?:\(|at (?:async )?)([^()\n]+?):(\d+):(\d+)\)?$/gm;

/** `addons/usage.ts:12:5`, seen from the working directory. */
export function describePlace({ file, line, column }: Place): string {
  return `${describePath(file)}:${line}:${column}`;
}

/** A path as short as it can be said from the working directory. */
export function describePath(file: string): string {
  const relative = path.relative(process.cwd(), file);
  return relative === '' || relative.startsWith('..') ? file : relative;
}
