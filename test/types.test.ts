import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { Editor } from './editor.ts';
import { installInto, TSC } from './install.ts';
import { makeFolder } from './proxy-process.ts';

const addon = (body: string) => `
  import { defineAddon } from 'insight-dump';
  import { z } from 'zod';
  export default defineAddon({
    options: z.object({ header: z.string().default('x'), times: z.number().default(1) }),
    state: () => ({ count: 0 }),
    ${body}
  });`;
const config = (body: string) => `
  import { defineConfig } from 'insight-dump';
  export default defineConfig({ ${body} });`;

describe('the editor of an author with only insight-dump installed', () => {
  const folder = makeFolder({ 'package.json': '{ "type": "module" }' });
  const strict = makeFolder({
    'package.json': '{ "type": "module" }',
    'mine.ts': addon('request(flow) { flow.kill(); },'),
    'tsconfig.json': JSON.stringify({
      compilerOptions: { strict: true, module: 'nodenext', noEmit: true, types: [], exactOptionalPropertyTypes: true },
    }),
  });
  let editor: Editor;
  let strictEditor: Editor;
  before(async () => {
    await Promise.all([installInto(folder), installInto(strict)]);
    editor = await Editor.open(folder);
    strictEditor = await Editor.open(strict);
  });
  after(() => {
    editor?.close();
    strictEditor?.close();
    rmSync(folder, { recursive: true });
    rmSync(strict, { recursive: true });
  });

  const offers = (what: string, text: string, expected: readonly string[]) =>
    it(`offers ${what}`, async () => {
      const offered = new Set(await editor.completions(text));
      assert.deepEqual(
        expected.filter((each) => !offered.has(each)),
        [],
        `only offered: ${[...offered].slice(0, 20)}`,
      );
    });

  offers('the hooks', addon('|'), [
    'connect',
    'requestHeaders',
    'request',
    'responseHeaders',
    'response',
    'error',
    'done',
  ]);
  offers('what a flow has', addon('request(flow) { flow.| }'), ['client', 'request', 'respond', 'kill', 'metadata']);
  offers('what a message has', addon('request(flow) { flow.request.| }'), [
    'body',
    'buffer',
    'headers',
    'transform',
    'url',
  ]);
  offers('what the context has', addon('load(ctx) { ctx.| }'), ['log', 'options', 'paths', 'signal', 'state']);
  offers('the addon’s options', addon('request(flow, ctx) { ctx.options.| }'), ['header', 'times']);
  offers('the addon’s state', addon('request(flow, ctx) { ctx.state.| }'), ['count']);
  offers('the ways a tunnel can go', addon('connect(tunnel) { tunnel.| }'), [
    'intercept',
    'passthrough',
    'deny',
    'proxyAuthorization',
  ]);
  offers('the settings of the config', config('|'), ['addons', 'options', 'listenPort', 'allowHosts']);
  offers('the options of a shipped addon', config('options: { auth: { | } }'), [
    ...['users', 'htpasswd', 'groups', 'disabled', 'required', 'secret', 'rememberClients'],
  ]);
  offers('the kit', `import { | } from 'insight-dump/testing';`, ['makeFlow', 'testAddon', 'testScript', 'tempScript']);

  const refuses = (what: string, text: string, problem: RegExp) =>
    it(`underlines ${what}`, async () => {
      const problems = await editor.problems(text);
      assert.equal(problems.length, 1, problems.join('\n'));
      assert.match(problems[0] as string, problem);
    });

  refuses('a mistyped hook', addon('reqeust() {},'), /'reqeust' does not exist .*Did you mean to write 'request'/);
  refuses('a mistyped field of a flow', addon('request(flow) { flow.respnse; },'), /Did you mean 'response'/);
  refuses('a response that is not here yet', addon('request(flow) { flow.response.status; },'), /possibly 'undefined'/);
  refuses('an option that is not', addon('load(ctx) { ctx.options.heder; },'), /Did you mean 'header'/);
  refuses('an option of another type', addon('load(ctx) { ctx.options.times.trim(); },'), /'trim' does not exist/);
  refuses(
    'state of another type',
    addon(`load(ctx) { ctx.state.count = 'one'; },`),
    /'string' is not assignable to type 'number'/,
  );
  refuses(
    'an answer without a status',
    addon(`request(flow) { flow.respond({ body: 'x' }); },`),
    /'status' is missing/,
  );
  refuses('an unknown setting', config('lisenPort: 1'), /Did you mean to write 'listenPort'/);
  refuses(
    'a wrong option of a shipped addon',
    config(`options: { auth: { users: 'alice' } }`),
    /not assignable to type 'string\[\]'/,
  );
  refuses(
    'an unknown option of a shipped addon',
    config(`options: { filter: { nope: true } }`),
    /'nope' does not exist/,
  );

  const accepts = (what: string, text: string) =>
    it(`accepts ${what}, under strict settings and without @types/node`, async () => {
      assert.deepEqual(await strictEditor.problems(text), []);
    });

  accepts(
    'an addon with everything',
    addon(`
    name: 'all',
    authenticates: false,
    async load(ctx) { ctx.log.info(ctx.name, { at: ctx.paths.logs }); },
    configure(ctx, changed) { changed.has('header'); },
    running(ctx) { ctx.signal.addEventListener('abort', () => {}); },
    async done() {},
    commands: { say: ([word], ctx) => { if (!word) throw ctx.usage('a word'); return word + ctx.options.header; } },
    connect(tunnel) { tunnel.client.user = 'a'; tunnel.client.groups = ['b']; tunnel.deny(407, { headers: { a: 'b' }, body: 'c' }); },
    requestHeaders(flow) { flow.request.buffer(); flow.request.url = 'https://example.com'; },
    request(flow) { flow.request.body.set(flow.request.body.text()); },
    responseHeaders(flow, ctx) {
      flow.response.status = 201;
      flow.response.transform((chunk, last) => (last ? undefined : [chunk, ctx.options.header]));
    },
    response(flow) { for (const [name, value] of flow.response.headers) console.log(name, value); },
    error(flow) { flow.error.by; },`),
  );
  accepts(
    'exported functions',
    `
    import type { Context, CopilotExchange, Flow } from 'insight-dump';
    export const name = 'functions';
    export function exchange({ choices }: CopilotExchange, flow: Flow, ctx: Context) {
      ctx.log.info(flow.id + choices[0]?.text);
    }`,
  );
  accepts(
    'a class',
    `
    import type { Addon, Flow } from 'insight-dump';
    class Counter implements Addon { seen = 0; request(flow: Flow) { this.seen += 1; } }
    export default new Counter();`,
  );
  accepts(
    'several addons, some without options',
    `
    import { defineAddon } from 'insight-dump';
    export default [defineAddon({ name: 'a', request(flow) { flow.kill(); } }), defineAddon({ name: 'b' })];`,
  );
  accepts(
    'notes on flows, declared by the author',
    `
    import { defineAddon } from 'insight-dump';
    declare module 'insight-dump' { interface FlowMetadata { mine?: number } }
    export default defineAddon({ request(flow) { flow.metadata.mine = 1; } });`,
  );
  accepts(
    'options of the author’s own addon, declared',
    `
    import { defineConfig } from 'insight-dump';
    declare module 'insight-dump' { interface AddonOptions { mine?: { a: number } } }
    export default defineConfig({ addons: ['mine.ts', { script: 'addons/auth.ts', required: true }], options: { mine: { a: 1 }, other: { b: 2 } } });`,
  );

  it('finds no fault in the package’s own declarations', async () => {
    await promisify(execFile)(TSC, ['-p', strict]).catch(({ stdout }) => assert.fail(stdout));
  });
});
