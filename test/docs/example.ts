/** Brings examples of docs/examples to life, as the proxy would: by their files. */
import { readdirSync, readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { type AddonTest, type ScriptTest, type TestOptions, tempScript, testScript } from '../kit.ts';

const FOLDER = new URL('../../docs/examples/', import.meta.url);

export const CHAT = 'https://api.githubcopilot.com/chat/completions';
export const COMPLETIONS = 'https://proxy.githubcopilot.com/v1/engines/any/completions';

/** The names of all examples. */
export function exampleNames(): string[] {
  const files = readdirSync(FOLDER).filter((file) => file.endsWith('.ts'));
  return files.map((file) => file.replace(/\.ts$/, ''));
}

export function exampleFile(name: string): URL {
  return new URL(`${name}.ts`, FOLDER);
}

export function exampleText(name: string): string {
  return readFileSync(exampleFile(name), 'utf8');
}

/** Starts an example that ends with the test. */
export async function startExample(
  t: TestContext,
  name: string,
  options: Readonly<Record<string, unknown>> = {},
  more: TestOptions = {},
): Promise<AddonTest> {
  const example = await testScript(exampleFile(name), { ...more, options });
  t.after(() => example.stop());
  return example;
}

/** Starts a copy of an example that can be saved. */
export async function startCopy(
  t: TestContext,
  name: string,
  options: Readonly<Record<string, unknown>> = {},
  more: TestOptions = {},
): Promise<ScriptTest & { saveAgain(): Promise<void> }> {
  const text = exampleText(name);
  const script = await tempScript(text, { ...more, options });
  t.after(() => script.stop());
  const saveAgain = async () => {
    const reloaded = script.reloaded();
    script.save(`${text}// saved\n`);
    await reloaded;
  };
  return Object.assign(script, { saveAgain });
}
