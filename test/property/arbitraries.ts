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

/**
 * Any character at all, as a unit of strings. fast-check's `binary` has the same, and takes a second for a table of them,
 * by which it finds words such as `__proto__` to be made of them.
 */
export const anyCharacter: fc.Arbitrary<string> = fc
  .nat(0x10ffff)
  .filter((code) => code < 0xd800 || code > 0xdfff)
  .map((code) => String.fromCodePoint(code), codeOf);

/** The inverse. As fast-check wants it, it throws for what is no character. */
function codeOf(value: unknown): number {
  const [code, ...more] = [...String(value)].map((character) => character.codePointAt(0));
  if (code === undefined || more.length > 0) throw new Error(`${value} is not one character`);
  return code;
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
