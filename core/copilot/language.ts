import type { Choice } from '../addon.ts';

/** The line that begins a block of code, with the name of its language (https://spec.commonmark.org/0.31.2/#fenced-code-blocks). */
const OPENING = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]{1,32})?/;
const CLOSING = /^ {0,3}(`{3,}|~{3,})[ \t\r]*$/;

/** Names that are said in several ways, as editors call them. */
const SAME: Readonly<Record<string, string>> = {
  js: 'javascript',
  jsx: 'javascriptreact',
  ts: 'typescript',
  tsx: 'typescriptreact',
  py: 'python',
  rb: 'ruby',
  rs: 'rust',
  cs: 'csharp',
  'c#': 'csharp',
  'c++': 'cpp',
  kt: 'kotlin',
  sh: 'shellscript',
  bash: 'shellscript',
  shell: 'shellscript',
  zsh: 'shellscript',
  yml: 'yaml',
  md: 'markdown',
  golang: 'go',
};

/** Answers are looked through this far. */
const MAX_CHARACTERS = 256 * 1024;

/** The language that most of an answer's code is in; chats do not say which they are about. */
export function languageOf(choices: readonly Choice[]): string | undefined {
  const characters = new Map<string, number>();
  for (const { text } of choices)
    for (const { language, length } of codeIn(text.slice(0, MAX_CHARACTERS)))
      characters.set(language, (characters.get(language) ?? 0) + length);
  return [...characters].sort(([, one], [, other]) => other - one)[0]?.[0];
}

/** Each line of code in a text, by the language of its block; those of blocks without a name are left out. */
function* codeIn(text: string): Generator<{ language: string; length: number }> {
  let block: { readonly fence: string; readonly language: string | undefined } | undefined;
  for (const line of text.split('\n')) {
    if (block === undefined) {
      const [, fence, name] = OPENING.exec(line) ?? [];
      // Three backticks in a row can also be code within a line.
      if (fence === undefined || (fence[0] === '`' && line.includes('`', line.indexOf(fence) + fence.length))) continue;
      block = { fence, language: name === undefined ? undefined : nameOf(name) };
      if (block.language !== undefined) yield { language: block.language, length: 0 };
    } else if (CLOSING.exec(line)?.[1]?.startsWith(block.fence) === true) block = undefined;
    else if (block.language !== undefined) yield { language: block.language, length: line.length + 1 };
  }
}

function nameOf(name: string): string {
  const lower = name.toLowerCase();
  return Object.hasOwn(SAME, lower) ? (SAME[lower] as string) : lower;
}
