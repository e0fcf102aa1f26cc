import type { Choice } from '../addon.ts';
import { languageNamed, languageOfExtension } from './language-names.ts';

/** What a chat says that a language can be told by. */
export interface Evidence {
  readonly choices: readonly Choice[];
  /** What the user has said last, with what the editor has put beside it. */
  readonly words: readonly string[];
  /** The files that are attached to it, as paths. */
  readonly files: readonly string[];
}

/** So much is looked through of what was said, and of what was asked. */
const MAX_CHARACTERS = 256 * 1024;

/**
 * The language that a chat is about, which it does not say. The first of these that tells decides: the code in the
 * answer, the code in what was asked, the files that are attached to that, the files that the answer's calls of tools
 * name, and those that are named in what was asked. Of several languages, that of most code or most files.
 */
export function languageOf({ choices, words, files }: Evidence): string | undefined {
  const said = bounded(choices.map(({ text }) => text));
  const asked = bounded(words);
  const ofCode = mostOf(said.flatMap(codeIn)) ?? mostOf(asked.flatMap(codeIn));
  if (ofCode !== undefined) return ofCode;
  const attached = [...asked.flatMap(attachedIn), ...files];
  const called = bounded(choices.flatMap(({ toolCalls }) => toolCalls.map((call) => call.arguments)));
  const ofFiles = [attached, called, asked].map((texts) => mostOf(texts.flatMap(filesIn)));
  const known = ofFiles.filter((language) => language !== undefined);
  return known.find((language) => !BESIDE_CODE.has(language)) ?? known[0];
}

/** Their ends, which are nearest to the question. */
function bounded(texts: readonly string[]): string[] {
  let room = MAX_CHARACTERS;
  const kept: string[] = [];
  for (const text of texts.toReversed()) {
    if (room === 0) break;
    kept.unshift(text.slice(-room));
    room -= Math.min(room, text.length);
  }
  return kept;
}

/** Something in a language. */
interface Piece {
  readonly language: string;
  readonly weight: number;
}

/** Prose and data stand beside code of any language. */
const BESIDE_CODE: ReadonlySet<string> = new Set(['json', 'markdown', 'toml', 'xml', 'yaml']);

function mostOf(pieces: readonly Piece[]): string | undefined {
  const weights = new Map<string, number>();
  for (const { language, weight } of pieces) weights.set(language, (weights.get(language) ?? 0) + weight);
  return [...weights].sort(([, one], [, other]) => other - one)[0]?.[0];
}

// ----------------------------------------------------------------------------------------------------------------- code

/** The line that begins a block of code, with the name of its language (https://spec.commonmark.org/0.31.2/#fenced-code-blocks). */
const OPENING = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]{1,32})?/;
const CLOSING = /^ {0,3}(`{3,}|~{3,})[ \t\r]*$/;

/** Each line of code in a text, by the language of its block; those of blocks without a name are left out. */
function codeIn(text: string): Piece[] {
  const pieces: Piece[] = [];
  let block: { readonly fence: string; readonly language: string | undefined } | undefined;
  for (const line of text.split('\n')) {
    if (block === undefined) {
      const [, fence, name] = OPENING.exec(line) ?? [];
      // Three backticks in a row can also be code within a line.
      if (fence === undefined || (fence[0] === '`' && line.includes('`', line.indexOf(fence) + fence.length))) continue;
      block = { fence, language: name === undefined ? undefined : languageNamed(name) };
      if (block.language !== undefined) pieces.push({ language: block.language, weight: 0 });
    } else if (CLOSING.exec(line)?.[1]?.startsWith(block.fence) === true) block = undefined;
    else if (block.language !== undefined) pieces.push({ language: block.language, weight: line.length + 1 });
  }
  return pieces;
}

// ---------------------------------------------------------------------------------------------------------------- files

/** As editors write it: `<attachment filePath="/home/alice/work/a.py">`, with an `id` or none. */
const ATTACHMENT = /<attachment\b[^<>]{0,500}?\bfilePath="([^"]{1,500})"/g;

function attachedIn(text: string): string[] {
  return [...text.matchAll(ATTACHMENT)].map(([, path = '']) => path);
}

/** Where a name of a file may end; neither in a longer one, nor in that of a host. */
const EXTENSION = /(?<=\w)\.([A-Za-z][A-Za-z0-9]{0,8})(?!\w|[./-]\w)/g;

/** Each file that is named, by the language of its extension. */
function filesIn(text: string): Piece[] {
  return [...text.matchAll(EXTENSION)].flatMap(([, extension = '']) => {
    const language = languageOfExtension(extension);
    if (language === undefined) return [];
    return [{ language, weight: BESIDE_CODE.has(language) ? 0 : 1 }];
  });
}
