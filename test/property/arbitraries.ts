/** Values that several property tests are made of. */
import fc from 'fast-check';

/** A body: nothing, a few bytes, or some thousands; also such that compress well. */
export const content: fc.Arbitrary<Buffer> = fc
  .oneof(
    fc.uint8Array({ maxLength: 200 }),
    fc.uint8Array({ minLength: 1, maxLength: 40 }).chain((unit) => fc.nat(200).map((times) => repeat(unit, times))),
  )
  .map((bytes) => Buffer.from(bytes));

function repeat(unit: Uint8Array, times: number): Uint8Array {
  return Buffer.concat(Array.from({ length: times }, () => unit));
}

/** Where to cut a body into chunks, whatever its length. */
export const cuts = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 8 });

/** A body in chunks; none of them is empty. */
export function chunked(whole: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((part) => Math.floor(part * whole.length)).sort((a, b) => a - b), whole.length];
  return places
    .slice(1)
    .map((end, i) => whole.subarray(places[i], end))
    .filter((chunk) => chunk.length > 0);
}

/** The same text, with some of its letters in the other case. */
export function anyCase(text: string): fc.Arbitrary<string> {
  return fc.mixedCase(fc.constant(text));
}

/** What the value of a header may hold. */
export const headerValue = fc.string({
  unit: fc
    .oneof(
      { weight: 9, arbitrary: fc.integer({ min: 0x20, max: 0x7e }) },
      { weight: 1, arbitrary: fc.oneof(fc.constant(9), fc.integer({ min: 0x80, max: 0xff })) },
    )
    .map((code) => String.fromCharCode(code)),
  maxLength: 12,
});
