import { closest, distance } from 'fastest-levenshtein';

/** ` (did you mean "x"?)` for the known name nearest to a mistyped one, or nothing when none is near. */
export function didYouMean(given: string, known: readonly string[]): string {
  const name = nearest(given, known);
  return name === undefined ? '' : ` (did you mean "${name}"?)`;
}

/** The known name that a mistyped one was probably meant to be. */
export function nearest(given: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const best = closest(given.toLowerCase(), known as string[]);
  const limit = Math.min(3, Math.max(1, Math.floor(given.length / 2)));
  return distance(given.toLowerCase(), best.toLowerCase()) <= limit ? best : undefined;
}
