import type { Choice } from '../addon.ts';

/** A fence of code with the name of its language (https://spec.commonmark.org/0.31.2/#fenced-code-blocks). */
const FENCE = /^ {0,3}(`{3,}|~{3,})[ \t]*([\w+#.-]{1,32})?[^\n]*\n([\s\S]*?)(?:^ {0,3}\1|(?![\s\S]))/gm;

/** Names that are said in several ways, as editors call them. */
const SAME: Partial<Record<string, string>> = {
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
    for (const [, , name, code = ''] of text.slice(0, MAX_CHARACTERS).matchAll(FENCE)) {
      if (name === undefined) continue;
      const language = SAME[name.toLowerCase()] ?? name.toLowerCase();
      characters.set(language, (characters.get(language) ?? 0) + code.length);
    }
  return [...characters].sort(([, one], [, other]) => other - one)[0]?.[0];
}
