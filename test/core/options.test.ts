import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import { changedOptions, type FlagValues, resolveOptions } from '../../core/options.ts';

const addon = {
  options: z.object({
    text: z.string().default('default'),
    number: z.number().default(1),
    flag: z.boolean().default(false),
    list: z.array(z.string()).default([]),
    numbers: z.array(z.number()).default([]),
    either: z.union([z.number(), z.string()]).optional(),
    nested: z.object({ a: z.number() }).optional(),
    secret: z.string().min(16).optional(),
  }),
};

const resolve = (given: object, flags: Record<string, FlagValues> = {}) =>
  resolveOptions('mine', addon, given as Record<string, unknown>, new Map(Object.entries(flags)));

describe('options', () => {
  it('have defaults', () => {
    assert.deepEqual(resolve({}), { text: 'default', number: 1, flag: false, list: [], numbers: [] });
  });

  for (const [what, flags, expected] of [
    ['text', { text: ['x=y'] }, { text: 'x=y' }],
    ['text that looks like a number', { text: ['7'] }, { text: '7' }],
    ['empty text', { text: [''] }, { text: '' }],
    ['a number', { number: ['-2.5'] }, { number: -2.5 }],
    ['a boolean', { flag: ['true'] }, { flag: true }],
    ['a bare boolean', { flag: [true] }, { flag: true }],
    ['a list of one', { list: ['x'] }, { list: ['x'] }],
    ['a list by repetition', { list: ['x', '2'] }, { list: ['x', '2'] }],
    ['a list as JSON', { list: ['["x", "y"]'] }, { list: ['x', 'y'] }],
    ['a list of numbers', { numbers: ['1', '2'] }, { numbers: [1, 2] }],
    ['an object as JSON', { nested: ['{"a": 1}'] }, { nested: { a: 1 } }],
  ] as const) {
    it(`take ${what} from a flag`, () => {
      const resolved = resolve({ text: 'file', number: 9 }, flags as never);
      for (const [key, value] of Object.entries(expected)) assert.deepEqual(resolved[key], value);
    });
  }

  for (const [what, given, flags, expected] of [
    ['a wrong type in the file', { number: '5' }, {}, /^mine: number: .*expected number.* \(given: "5"\)$/],
    ['a wrong type in a flag', {}, { number: ['five'] }, /^mine: number: .*expected number.* \(given: "five"\)$/],
    ['an unknown name in the file', { txet: 1 }, {}, /^mine: no option named "txet" \(did you mean "text"\?\)$/],
    ['an unknown name in a flag', {}, { nmber: ['1'] }, /^mine: no option named "nmber" \(did you mean "number"\?\)$/],
    ['a bare flag that is no boolean', {}, { number: [true] }, /^mine: number: .*\(given: true\)$/],
    ['two mistakes at once', { number: '5', flag: 1 }, {}, /number: .*; flag: /],
  ] as const) {
    it(`refuse ${what}, and say what is wrong`, () => {
      assert.throws(() => resolve(given, flags as never), { code: 'optionsInvalid', message: expected });
    });
  }

  it('are named, but not shown, where they are secret', () => {
    assert.throws(
      () => resolve({ secret: 'too-short' }),
      ({ message }: Error) => {
        assert.match(message, /^mine: secret: /);
        assert.doesNotMatch(message, /too-short/);
        return true;
      },
    );
  });

  it('are refused for what is wrong in them, and not for how a flag was read', () => {
    const picky = {
      options: z.object({ hosts: z.array(z.string().regex(/^[a-z.]+$/, 'no name of a host')).default([]) }),
    };
    const flags = new Map([['hosts', ['a b'] as const]]);
    assert.throws(() => resolveOptions('picky', picky, {}, flags), { message: /hosts\.0: no name of a host/ });
  });

  it('cannot be set for an addon that has none', () => {
    assert.throws(() => resolveOptions('bare', {}, { a: 1 }, new Map()), {
      message: 'bare: it has no options, so "a" cannot be set',
    });
    assert.deepEqual(resolveOptions('bare', {}, {}, new Map()), {});
  });

  it('work with any schema that has safeParse', () => {
    const schema = { safeParse: (value: unknown) => ({ success: true, data: { wrapped: value } }) as const };
    assert.deepEqual(resolveOptions('own', { options: schema }, { a: 1 }, new Map()), { wrapped: { a: 1 } });
  });

  it('tell which of them have changed', () => {
    const changed = changedOptions({ a: 1, b: [1], c: 'x', d: /x/ }, { a: 1, b: [2], e: 1, d: /y/ });
    assert.deepEqual([...changed].sort(), ['b', 'c', 'd', 'e']);
  });
});
