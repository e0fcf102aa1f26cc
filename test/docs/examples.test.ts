import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { z } from 'zod';
import type { Addon } from '../../core/addon.ts';
import { ProxyProcess } from '../proxy-process.ts';
import { exampleFile, exampleNames, exampleText, startExample } from './example.ts';

/** The command line in an example's comment, as a shell would take it apart. */
function commandOf(name: string): string[] {
  const [, command = ''] = /^\/\/ Run it: npx insight-dump (.*)$/m.exec(exampleText(name)) ?? [];
  return [...command.matchAll(/(?:'[^']*'|\S)+/g)].map(([word]) => word.replaceAll("'", ''));
}

describe('the examples', () => {
  for (const name of exampleNames()) {
    it(`${name} loads with its defaults, without a complaint`, async (t) => {
      const example = await startExample(t, name);
      assert.deepEqual(example.log.of('warn', 'error'), []);
    });

    it(`${name} goes by the name of its file`, async () => {
      const { default: addon } = (await import(`../../docs/examples/${name}.ts`)) as { default: Addon };
      assert.equal(addon.name, name);
    });

    it(`${name} describes each of its options`, async () => {
      const { default: addon } = (await import(`../../docs/examples/${name}.ts`)) as { default: Addon };
      const { properties } = z.toJSONSchema(addon.options as unknown as z.ZodObject, { io: 'input' });
      const descriptions = Object.values(properties ?? {}).map(
        (each) => (each as { description?: string }).description,
      );
      assert.ok(descriptions.length > 0 && descriptions.every((each) => each !== undefined), String(descriptions));
    });

    it(`${name} is tested`, () => {
      const test = readFileSync(new URL(`examples/${name}.test.ts`, import.meta.url), 'utf8');
      assert.match(test, new RegExp(`startExample\\(t, '${name}'`));
    });

    it(`${name} says how to run it, with an option`, () => {
      const command = commandOf(name);
      assert.deepEqual(command.slice(0, 3), ['-s', `docs/examples/${name}.ts`, '--set']);
      assert.ok(command[3]?.startsWith(`${name}.`), command[3]);
    });
  }

  it('start with the command lines in their comments, all in one chain', async () => {
    const names = exampleNames();
    const proxy = await ProxyProcess.start({ args: names.flatMap(commandOf) });
    await proxy.stop();
    for (const name of names) assert.match(proxy.output, new RegExp(`with addons .*\\b${name}\\b`));
  });

  it('are all there that are tested', () => {
    const tested = readdirSync(new URL('examples/', import.meta.url)).map((file) => file.replace(/\.test\.ts$/, ''));
    assert.deepEqual(
      tested.filter((name) => !existsSync(exampleFile(name))),
      [],
    );
  });
});
