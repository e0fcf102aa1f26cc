import { writeFile } from 'node:fs/promises';
import { codeOf, errors } from './errors.ts';

/** Names that are good as a file's and as an addon's. */
const NAME = /^[a-z][a-z0-9-]*$/;

/**
 * Writes `<name>.ts` and `<name>.test.mjs` into the working directory, and says what to do with them.
 *
 * @throws InsightError `usage` for a name that is none, `fileExists` rather than overwriting one
 */
export async function writeStarter(name: string): Promise<void> {
  if (!NAME.test(name)) throw errors.usage(`new ${name}: expected a name of small letters, digits and dashes`);
  await writeNew(`${name}.ts`, addonText(name));
  await writeNew(`${name}.test.mjs`, testText(name));
  process.stdout.write(nextSteps(name));
}

async function writeNew(file: string, text: string): Promise<void> {
  try {
    await writeFile(file, text, { flag: 'wx' });
  } catch (error) {
    throw codeOf(error) === 'EEXIST' ? errors.fileExists(file) : error;
  }
}

const addonText = (name: string) => `// Run it: npx insight-dump -s ${name}.ts
// Edit it while it runs: a save is live in a moment. All that an addon can use is described where its types are declared.
import { defineAddon } from 'insight-dump';
import { z } from 'zod';

// What can be set: by "options: { ${name}: { … } }" in addons.config.ts, or by --set ${name}.header=x-other
const options = z.object({
  header: z.string().default('x-${name}').describe('response header to set'),
});

export default defineAddon({
  name: '${name}',
  options,

  // Survives each save of this file.
  state: () => ({ answers: 0 }),

  // The head of an answer is here, its body is not. Other hooks: connect, requestHeaders, request, response, error.
  responseHeaders(flow, ctx) {
    ctx.state.answers += 1;
    flow.response.headers.set(ctx.options.header, \`\${flow.client.user ?? 'anonymous'}, answer \${ctx.state.answers}\`);
    ctx.log.info(\`👋 ${name}: \${flow.request.method} \${flow.request.url}\`);
  },
});
`;

const testText = (name: string) => `// Run it: node --test ${name}.test.mjs
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { makeFlow, testScript } from 'insight-dump/testing';

test('${name} says whose answer it is', async (t) => {
  const ${camel(name)} = await testScript(new URL('./${name}.ts', import.meta.url), { options: { header: 'x-who' } });
  t.after(() => ${camel(name)}.stop());

  const { received } = await ${camel(name)}.run(makeFlow({ user: 'alice' }));

  assert.equal(received.headers.get('x-who'), 'alice, answer 1');
});
`;

const nextSteps = (name: string) => `${name}.ts and ${name}.test.mjs are written.

  npx insight-dump -s ${name}.ts --allow-hosts example.com
  curl -sI -x http://127.0.0.1:8080 http://example.com/

shows the header x-${name} in the answer. Change it in ${name}.ts, save, and ask again.
`;

function camel(name: string): string {
  return name.replace(/-+(.?)/g, (_, letter: string) => letter.toUpperCase());
}
