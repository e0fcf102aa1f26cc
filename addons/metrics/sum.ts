/** Sums that come out the same in whatever order they are made: of whole numbers, which stop at the greatest safe one. */
export function sum(one: number, other: number): number {
  return Math.min(one + other, Number.MAX_SAFE_INTEGER);
}

/** What a server or client says, as a number that can be added up; 0 for what is none, and would be none in JSON. */
export function countOf(value: number): number {
  return Number.isFinite(value) && value > 0 ? Math.min(Math.round(value), Number.MAX_SAFE_INTEGER) : 0;
}
