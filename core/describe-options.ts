import { z } from 'zod';
import type { OptionsSchema } from './addon.ts';
import type { NamedAddon } from './script.ts';

/** The parts of JSON Schema that options are made of. */
interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly description?: string;
  readonly default?: unknown;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly items?: JsonSchema;
  readonly anyOf?: readonly JsonSchema[];
  readonly properties?: Readonly<Record<string, JsonSchema>>;
}

/**
 * All options of these addons as YAML, with type, default and description: ready to be copied into the config, since
 * YAML's values are those of JSON.
 */
export function describeOptions(addons: readonly NamedAddon[]): string {
  return addons
    .map(({ name, addon: { options } }) => {
      if (options === undefined) return `${name}: {}  # it has no options\n`;
      const defaults = defaultsOf(options);
      const entries = Object.entries(propertiesOf(options));
      return `${name}:\n${entries.map(([option, schema]) => describe(option, { ...defaults[option], ...schema })).join('')}`;
    })
    .join('\n');
}

function describe(name: string, schema: JsonSchema): string {
  const comments = [...(schema.description ?? '').split('\n').filter((line) => line !== ''), typeOf(schema)];
  const value = schema.default === undefined ? `# ${name}: (not set)` : `${name}: ${JSON.stringify(schema.default)}`;
  return [...comments.map((line) => `# ${line}`), value].map((line) => `  ${line}\n`).join('');
}

/** What options are when none is set, in case that JSON Schema does not know; unknown where some have to be set. */
function defaultsOf(schema: OptionsSchema): Readonly<Record<string, { default?: unknown }>> {
  const result = schema.safeParse({});
  const values = result.success ? Object.entries(result.data as object) : [];
  return Object.fromEntries(values.map(([name, value]) => [name, { default: value }]));
}

/** A schema that is not zod's says the names of its options at most. */
function propertiesOf(schema: OptionsSchema): Readonly<Record<string, JsonSchema>> {
  try {
    const json = z.toJSONSchema(schema as z.ZodType, { io: 'input', unrepresentable: 'any' }) as JsonSchema;
    return json.properties ?? {};
  } catch {
    return Object.fromEntries(Object.keys(schema.shape ?? {}).map((name) => [name, {}]));
  }
}

function typeOf({ type, enum: values, const: only, items, anyOf }: JsonSchema): string {
  if (values !== undefined) return values.map((value) => JSON.stringify(value)).join(' or ');
  if (only !== undefined) return JSON.stringify(only);
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' or ');
  if (type === 'array') return `list of ${items === undefined ? 'anything' : typeOf(items)}`;
  return type === undefined ? 'anything' : [type].flat().join(' or ');
}
