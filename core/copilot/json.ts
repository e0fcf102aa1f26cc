/** Reading JSON that somebody else wrote: whatever is not as expected is not there. */

/** A property of anything; undefined where there is none. */
export function at(value: unknown, ...path: readonly string[]): unknown {
  let found = value;
  for (const key of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, key)) return undefined;
    found = (found as Record<string, unknown>)[key];
  }
  return found;
}

export function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = at(value, ...path);
  return typeof found === 'string' ? found : undefined;
}

/** A number that can count something. */
export function countAt(value: unknown, ...path: readonly string[]): number | undefined {
  const found = at(value, ...path);
  return typeof found === 'number' && found >= 0 && found <= Number.MAX_SAFE_INTEGER ? found : undefined;
}

export function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found : [];
}

/** True where there is an object, whatever is in it. */
export function hasObjectAt(value: unknown, ...path: readonly string[]): boolean {
  const found = at(value, ...path);
  return typeof found === 'object' && found !== null;
}

/** Deeper than any tool describes its input; what walks through a value step by step, as `JSON.stringify`, can go there. */
export const MAX_JSON_DEPTH = 500;

/** A JSON value; the text itself where it is none, or is nested deeper than anybody could read. */
export function parseJson(text: string): unknown {
  if (isDeep(text)) return text;
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

function isDeep(text: string): boolean {
  if (!hasManyOpenings(text)) return false;
  let depth = 0;
  let isInString = false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code === QUOTE) isInString = !isInString;
    else if (isInString) {
      if (code === BACKSLASH) i++;
    } else if (code === 0x5b || code === 0x7b) {
      depth += 1;
      if (depth > MAX_JSON_DEPTH) return true;
    } else if (code === 0x5d || code === 0x7d) depth -= 1;
  }
  return false;
}

/** So many, within texts or without, that it could be deep. Most JSON has fewer, which is found out many times as fast. */
function hasManyOpenings(text: string): boolean {
  let many = 0;
  for (const opening of ['{', '[']) {
    for (let i = text.indexOf(opening); i !== -1; i = text.indexOf(opening, i + 1)) {
      many += 1;
      if (many > MAX_JSON_DEPTH) return true;
    }
  }
  return false;
}
