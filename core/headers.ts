import type { HeaderList } from './addon.ts';

/** A name and its value, as in `IncomingMessage.rawHeaders`, but paired. */
export type HeaderPair = readonly [name: string, value: string];

/** Node's flat `rawHeaders`, paired. */
export function pairsOf(flat: readonly string[]): HeaderPair[] {
  const pairs: HeaderPair[] = [];
  for (let i = 0; i + 1 < flat.length; i += 2) pairs.push([flat[i] as string, flat[i + 1] as string]);
  return pairs;
}

/** Headers in order, with duplicates; looked up without case. */
export class Headers implements HeaderList {
  #pairs: HeaderPair[];

  constructor(pairs: readonly HeaderPair[] = []) {
    this.#pairs = [...pairs];
  }

  /** From Node's flat `rawHeaders`. */
  static fromFlat(flat: readonly string[]): Headers {
    const headers = new Headers();
    headers.#pairs = pairsOf(flat);
    return headers;
  }

  get(name: string): string | undefined {
    const wanted = name.toLowerCase();
    let found: string | undefined;
    for (const pair of this.#pairs) {
      if (sameName(pair[0], wanted)) found = found === undefined ? pair[1] : `${found}, ${pair[1]}`;
    }
    return found;
  }

  getAll(name: string): string[] {
    const wanted = name.toLowerCase();
    const values: string[] = [];
    for (const [key, value] of this.#pairs) if (sameName(key, wanted)) values.push(value);
    return values;
  }

  has(name: string): boolean {
    const wanted = name.toLowerCase();
    return this.#pairs.some((pair) => sameName(pair[0], wanted));
  }

  set(name: string, value: string): void {
    const wanted = name.toLowerCase();
    const first = this.#pairs.findIndex(([key]) => sameName(key, wanted));
    if (first < 0) {
      this.append(name, value);
      return;
    }
    const [written] = this.#pairs[first] as HeaderPair;
    const pair = [written, checked(written, value)] as const;
    this.#pairs = this.#pairs.flatMap((each, i) => (i === first ? [pair] : sameName(each[0], wanted) ? [] : [each]));
  }

  append(name: string, value: string): void {
    if (!NAME.test(name)) throw new TypeError(`not a header name: ${JSON.stringify(name)}`);
    this.#pairs.push([name, checked(name, value)]);
  }

  delete(name: string): boolean {
    const wanted = name.toLowerCase();
    const before = this.#pairs.length;
    this.#pairs = this.#pairs.filter(([key]) => !sameName(key, wanted));
    return this.#pairs.length < before;
  }

  /** Keeps what `keep` says, given the name in lower case. */
  filter(keep: (name: string, value: string) => boolean): void {
    this.#pairs = this.#pairs.filter(([name, value]) => keep(name.toLowerCase(), value));
  }

  [Symbol.iterator](): IterableIterator<HeaderPair> {
    return this.#pairs[Symbol.iterator]();
  }

  /** For Node's h1 `writeHead` and `request`: names and values in one row. */
  toFlat(): string[] {
    const flat: string[] = [];
    for (const pair of this.#pairs) flat.push(pair[0], pair[1]);
    return flat;
  }

  /** By name in lower case; several values become a list. */
  toObject(): Record<string, string | string[]> {
    const object: Record<string, string | string[]> = Object.create(null);
    for (const [name, value] of this.#pairs) {
      const key = name.toLowerCase();
      const before = object[key];
      object[key] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value];
    }
    return object;
  }

  toJSON(): Record<string, string | string[]> {
    return this.toObject();
  }
}

/** A token of RFC 9110, section 5.6.2. */
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
/** What a field value may not hold (RFC 9110, section 5.5): it would end the line, or is no Latin-1. */
const BAD_VALUE = /[^\t\x20-\x7e\x80-\xff]/;

function checked(name: string, value: string): string {
  const text = String(value);
  if (BAD_VALUE.test(text)) throw new TypeError(`header ${name} cannot hold ${JSON.stringify(text)}: encode it first`);
  return text;
}

/** Compares a name as written with one in lower case. */
export function sameName(name: string, lower: string): boolean {
  return name.length === lower.length && (name === lower || name.toLowerCase() === lower);
}
