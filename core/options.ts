import type { Addon } from './addon.ts';
import { errors } from './errors.ts';
import { didYouMean } from './nearest.ts';

/** Option values of one addon as given, before its schema has seen them. */
export type GivenOptions = Readonly<Record<string, unknown>>;

/** A `--set` value: what stood behind `=`, or true for a bare name; several when the flag was repeated. */
export type FlagValues = readonly (string | true)[];

/**
 * Runs an addon's options through its schema.
 *
 * @param given values of the right type, as from the config file
 * @param flags values as text, as from `--set`; they beat `given`, and take the type that the schema accepts
 * @throws InsightError `optionsInvalid`, naming each option, its value and what was expected
 */
export function resolveOptions(
  name: string,
  addon: Addon,
  given: GivenOptions,
  flags: ReadonlyMap<string, FlagValues>,
): Record<string, unknown> {
  const { options: schema } = addon;
  const names = [...Object.keys(given), ...flags.keys()];
  if (schema === undefined) {
    if (names.length > 0) throw errors.optionsInvalid(name, [`it has no options, so "${names[0]}" cannot be set`]);
    return {};
  }
  if (schema.shape !== undefined) {
    const known = Object.keys(schema.shape);
    const unknown = names.filter((key) => !known.includes(key));
    if (unknown.length > 0) {
      throw errors.optionsInvalid(
        name,
        unknown.map((key) => `no option named "${key}"${didYouMean(key, known)}`),
      );
    }
  }

  let values: Record<string, unknown> = { ...given };
  for (const [key, texts] of flags) values = withFlag(schema, values, key, texts);

  const result = schema.safeParse(values);
  if (result.success) return result.data as Record<string, unknown>;
  throw errors.optionsInvalid(
    name,
    result.error.issues.map(({ path, message }) => {
      const [key] = path;
      const value =
        typeof key === 'string' && key in values && !SECRET.test(key) ? ` (given: ${show(values[key])})` : '';
      return `${path.join('.') || 'options'}: ${message}${value}`;
    }),
  );
}

/** Options whose values no message may show. */
const SECRET = /secret|password|token|webhook/i;

/** Names of the options whose values differ. */
export function changedOptions(
  before: Readonly<Record<string, unknown>>,
  after: Readonly<Record<string, unknown>>,
): Set<string> {
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return new Set([...keys].filter((key) => show(before[key]) !== show(after[key])));
}

/** Puts a flag's text in as that reading of it which the schema has least against; the first of those. */
function withFlag(
  schema: NonNullable<Addon['options']>,
  values: Record<string, unknown>,
  key: string,
  texts: FlagValues,
): Record<string, unknown> {
  const candidates = readings(texts).map((reading) => ({ ...values, [key]: reading }));
  // What is wrong deep inside is of the right kind: its message is about the value, and not about how it was read.
  const fit = (candidate: Record<string, unknown>): number => {
    const result = schema.safeParse(candidate);
    const depths = result.success
      ? []
      : result.error.issues.filter(({ path }) => path[0] === key).map(({ path }) => path.length);
    return depths.length === 0 ? Number.POSITIVE_INFINITY : Math.max(...depths);
  };
  return candidates.reduce((best, candidate) => (fit(candidate) > fit(best) ? candidate : best));
}

/** What the text of a flag can mean: text, a boolean, a number, JSON; or a list of those. */
function readings(texts: FlagValues): unknown[] {
  const lists = texts.map(readingsOfOne);
  const list = [texts, ...(lists[0] ?? []).map((_, i) => lists.map((each) => each[i] ?? each[0]))];
  return texts.length === 1 ? [...(lists[0] as unknown[]), ...list] : list;
}

function readingsOfOne(text: string | true): unknown[] {
  if (text === true) return [true];
  const found: unknown[] = [text];
  try {
    found.push(JSON.parse(text));
  } catch {
    // then it is just text
  }
  return found;
}

function show(value: unknown): string {
  return JSON.stringify(value, (_, inner) => (inner instanceof RegExp ? String(inner) : inner)) ?? 'undefined';
}
