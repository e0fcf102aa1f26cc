/** Takes secrets out of JSON, in place: out of each text and name in it, and out of what a stream's texts are together. */

import { merge } from './secret-finder.mjs';

/**
 * @typedef {import('./secret-finder.mjs').Range} Range
 * @typedef {(text: string) => readonly Range[]} Find
 * @typedef {{ holder: any, name: string | number, key: string }} Leaf a text in an object or array; the key is the same
 *   for texts that belong together
 */

/**
 * @param {any} value from `JSON.parse` or the like; changed in place
 * @param {Find} find
 * @returns {any} the same; another only if it was a text itself
 */
export function maskJson(value, find) {
  const root = { value };
  /** @type {Leaf[]} */
  const leaves = [];
  collect(root, '', leaves, find);
  for (const leaf of leaves) maskTogether([leaf], find);
  return root.value;
}

/**
 * The same for the events of a stream. What the model says comes in pieces, and a secret may be in several of them.
 *
 * @param {any[]} events
 * @param {Find} find
 */
export function maskEvents(events, find) {
  /** @type {Map<string, Leaf[]>} */
  const groups = new Map();
  events.forEach((_, i) => {
    /** @type {Leaf[]} */
    const leaves = [];
    collectOne(events, i, '', leaves, find);
    for (const leaf of leaves) {
      const group = groups.get(leaf.key);
      if (group === undefined) groups.set(leaf.key, [leaf]);
      else group.push(leaf);
    }
  });
  for (const group of groups.values()) maskTogether(group, find);
}

/**
 * @param {any} holder
 * @param {string} key
 * @param {Leaf[]} leaves
 * @param {Find} find
 */
function collect(holder, key, leaves, find) {
  for (const name of Object.keys(holder)) {
    if (Array.isArray(holder)) {
      // Choices that say which they are may be anywhere in the list.
      const place = typeof holder[Number(name)]?.index === 'number' ? '' : name;
      collectOne(holder, name, `${key}/${place}`, leaves, find);
    } else {
      const own = renamed(holder, name, find);
      collectOne(holder, own, `${key}/${own}`, leaves, find);
    }
  }
}

/**
 * @param {any} holder
 * @param {string | number} name
 * @param {string} key
 * @param {Leaf[]} leaves
 * @param {Find} find
 */
function collectOne(holder, name, key, leaves, find) {
  const value = holder[name];
  if (typeof value === 'string') leaves.push({ holder, name, key });
  else if (typeof value === 'object' && value !== null) collect(value, key + identity(value), leaves, find);
}

/** What tells apart the texts of a stream that grow at the same time, in all of Copilot's protocols. */
const IDENTIFYING = ['type', 'index', 'output_index', 'content_index'];

/** @param {any} value */
function identity(value) {
  return IDENTIFYING.map((name) => (Object.hasOwn(value, name) ? `[${String(value[name])}]` : '')).join('');
}

/**
 * @param {any} holder
 * @param {string} name
 * @param {Find} find
 * @returns {string} the name by which it is there now
 */
function renamed(holder, name, find) {
  const masked = mask(name, find(name));
  if (masked === name) return name;
  let free = masked;
  for (let i = 2; Object.hasOwn(holder, free); i++) free = `${masked} ${i}`;
  holder[free] = holder[name];
  delete holder[name];
  return free;
}

/**
 * @param {readonly Leaf[]} leaves
 * @param {Find} find
 */
function maskTogether(leaves, find) {
  const texts = leaves.map(({ holder, name }) => String(holder[name]));
  const asOne = find(texts.join(''));
  // Each by itself as well: where one ends in a letter, the next may hide that a secret begins there.
  const asLines = texts.length === 1 ? [] : find(texts.join('\n'));
  let at = 0;
  leaves.forEach(({ holder, name }, i) => {
    const { length } = /** @type {string} */ (texts[i]);
    holder[name] = mask(holder[name], merge([...within(asOne, at, length), ...within(asLines, at + i, length)]));
    at += length;
  });
}

/**
 * @param {readonly Range[]} ranges
 * @param {number} at where a piece begins
 * @param {number} length
 * @returns {Range[]} in that piece; a secret that goes on from an earlier one has its name there
 */
function within(ranges, at, length) {
  return ranges
    .filter(({ start, end }) => start < at + length && end > at)
    .map(({ start, end, kind }) => ({
      start: Math.max(0, start - at),
      end: Math.min(length, end - at),
      kind: start < at ? '' : kind,
    }));
}

/**
 * @param {string} text
 * @param {readonly Range[]} ranges
 */
function mask(text, ranges) {
  if (ranges.length === 0) return text;
  let masked = '';
  let from = 0;
  for (const { start, end, kind } of ranges) {
    masked += text.slice(from, start) + (kind === '' ? '' : `[masked ${kind}]`);
    from = end;
  }
  return masked + text.slice(from);
}
