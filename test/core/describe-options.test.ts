import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { z } from 'zod';
import type { OptionsSchema } from '../../core/addon.ts';
import { describeOptions } from '../../core/describe-options.ts';

const described = (options: OptionsSchema) => describeOptions([{ name: 'mine', addon: { options } }]);

describe('the description of options', () => {
  it('has the default of what is transformed, too', () => {
    const upper = z.string().transform((text) => text.toUpperCase());
    const text = described(z.object({ words: z.array(upper).default(['a']), other: upper.default('b') }));
    assert.match(text, /^ {2}# list of string\n {2}words: \["a"\]$/m);
    assert.match(text, /^ {2}other: "b"$/m);
  });

  it('has defaults also where another option has to be set', () => {
    assert.match(described(z.object({ must: z.string(), may: z.number().default(1) })), /^ {2}may: 1$/m);
  });

  it('has at least the names of a schema that is not of zod', () => {
    const schema = { safeParse: () => ({ success: true, data: { a: 1 } }) as const, shape: { a: {}, b: {} } };
    assert.equal(described(schema), 'mine:\n  # anything\n  a: 1\n  # anything\n  # b: (not set)\n');
  });
});
