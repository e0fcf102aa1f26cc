/** Where in a text there are secrets. */
import { creator } from '@secretlint/secretlint-rule-preset-recommend';

/**
 * @typedef {{ start: number, end: number, kind: string }} Range
 * @typedef {import('insight-dump').CredentialPattern} CredentialPattern
 */

/**
 * @param {readonly CredentialPattern[]} patterns besides secretlint's rules
 * @returns {(text: string) => Range[]} in order, and apart from each other
 */
export function secretFinder(patterns) {
  const lint = secretlint();
  /** @param {string} text */
  const findAsItIs = (text) => [...lint(text), ...patterns.flatMap((pattern) => matches(text, pattern))];
  /** Short texts in which there was nothing: names of properties, kinds of events and ids come again and again. */
  const clean = new Set();
  return (text) => {
    if (text.length < SHORTEST_SECRET || clean.has(text)) return [];
    const found = merge([...levels(text)].flatMap(({ plain, place }) => findAsItIs(plain).map(place)));
    if (found.length > 0 || text.length > MAX_REMEMBERED_LENGTH) return found;
    if (clean.size >= MAX_REMEMBERED) clean.clear();
    clean.add(text);
    return found;
  };
}

/** `a@b.cd` */
const SHORTEST_SECRET = 6;
const MAX_REMEMBERED_LENGTH = 64;
const MAX_REMEMBERED = 10_000;

/**
 * @param {string} text
 * @param {CredentialPattern} pattern
 * @returns {Range[]}
 */
function matches(text, { kind, pattern, isPair = false }) {
  const ranges = [];
  for (const { 0: all, 1: stays = '', index } of text.matchAll(pattern)) {
    if (isPair && !Buffer.from(all.slice(stays.length), 'base64').includes(':')) continue;
    ranges.push({ start: index + stays.length, end: index + all.length, kind });
  }
  return ranges;
}

/**
 * The rules of secretlint by themselves. Its core keeps marks of what it has measured for good, and looks through all of
 * them each time: it is made for a process that ends.
 *
 * @returns {(text: string) => Range[]}
 */
function secretlint() {
  /** @type {Range[]} */
  let found = [];
  const context = {
    sharedOptions: {},
    /** @param {unknown} _messages */
    createTranslator: (_messages) => (/** @type {string} */ messageId) => ({ message: messageId, messageId }),
    /** @param {{ message: { messageId: string }, range: readonly [number, number] }} finding */
    report: ({ message, range: [start, end] }) =>
      found.push({ start, end, kind: message.messageId.toLowerCase().replaceAll('_', ' ') }),
    ignore: () => {},
  };
  /** @type {{ file?(source: object): unknown }[]} */
  const rules = [];
  const registerRule = (/** @type {any} */ rule, /** @type {object} */ options = {}) =>
    rules.push(rule.create(context, options));
  creator.create(/** @type {any} */ ({ ...context, registerRule }), {});
  return (content) => {
    found = [];
    const source = { filePath: '', ext: '', contentType: 'text', content, hasBOM: false };
    for (const rule of rules) rule.file?.(source);
    return found;
  };
}

/** As JSON escapes characters (RFC 8259, section 7). */
const ESCAPE = /\\(?:u([0-9a-fA-F]{4})|(["\\/bfnrt]))/g;
/** @type {Record<string, string>} */
const SHORT = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };
/** JSON in a text in JSON, and once more. */
const MAX_LEVELS = 3;

/**
 * The text; and what it says if it is a part of some JSON, whose escapes may hide what a pattern looks for.
 *
 * @param {string} text
 * @returns {Generator<{ plain: string, place: (range: Range) => Range }>} `place` says where it is in the text
 */
function* levels(text) {
  let plain = text;
  /** @type {(at: number) => number} */
  let placeOf = (at) => at;
  for (let level = 0; level <= MAX_LEVELS; level++) {
    const here = placeOf;
    yield { plain, place: ({ start, end, kind }) => ({ start: here(start), end: here(end), kind }) };
    const { decoded, places } = unescaped(plain);
    if (decoded === plain) return;
    plain = decoded;
    placeOf = (at) => here(/** @type {number} */ (places[at]));
  }
}

/**
 * @param {string} text
 * @returns {{ decoded: string, places: Uint32Array }} where each character of it was in the text, and the end
 */
function unescaped(text) {
  const places = new Uint32Array(text.length + 1);
  let decoded = '';
  let from = 0;
  let length = 0;
  const copy = (/** @type {number} */ to) => {
    decoded += text.slice(from, to);
    for (let at = from; at < to; at++) places[length++] = at;
  };
  for (const { 0: all, 1: code, 2: letter = '', index } of text.matchAll(ESCAPE)) {
    copy(index);
    decoded += code === undefined ? (SHORT[letter] ?? letter) : String.fromCharCode(Number.parseInt(code, 16));
    places[length++] = index;
    from = index + all.length;
  }
  copy(text.length);
  places[length] = text.length;
  return { decoded, places };
}

/**
 * @param {Range[]} ranges
 * @returns {Range[]} in order; those that overlap as one, by the name of the first
 */
export function merge(ranges) {
  /** @type {Range[]} */
  const merged = [];
  for (const range of ranges.sort((a, b) => a.start - b.start || b.end - a.end)) {
    const last = merged.at(-1);
    if (last === undefined || range.start >= last.end) merged.push({ ...range });
    else last.end = Math.max(last.end, range.end);
  }
  return merged;
}
