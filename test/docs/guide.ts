/** The code of a page of the documentation. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../proxy-process.ts';

export interface Guide {
  /** Files by the name in their first line, as they stand there; a `package.json` has no such line. */
  readonly files: Readonly<Record<string, string>>;
  /** Lines of the shell, in order. */
  readonly commands: readonly string[];
}

export function readGuide(page: string): Guide {
  const text = readFileSync(path.join(ROOT, page), 'utf8');
  const files: Record<string, string> = {};
  const commands: string[] = [];
  for (const [, language, code = ''] of text.matchAll(/^```(\w+)\n(.*?)^```$/gms)) {
    if (language === 'sh') commands.push(...code.trimEnd().split('\n'));
    else files[nameOf(language, code)] = code;
  }
  return { files, commands };
}

function nameOf(language: string | undefined, code: string): string {
  if (language === 'json') return 'package.json';
  const name = /^\/\/ (\S+)\n/.exec(code)?.[1];
  if (name === undefined) throw new Error(`code without a file name:\n${code}`);
  return name;
}
