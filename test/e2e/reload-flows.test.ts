import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ask, openSession } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST, chatRequest } from '../requests.ts';
import { setBusyStage } from '../stage.ts';
import { becomesLive, configOf } from '../tagging.ts';
import type { Traffic } from '../traffic.ts';

/** Marks each chunk of a stream with its version, and tells of the stream's hooks and its own end. */
const marking = (version: string) => `
  import { defineAddon } from 'insight-dump';
  const isChat = (flow) => flow.request.path.includes('chat');
  export default defineAddon({
    request(flow, ctx) { if (isChat(flow)) ctx.log.info('${version} request'); },
    responseHeaders(flow) {
      flow.response.headers.append('x-tag', '${version}');
      if (isChat(flow)) flow.response.transform((chunk, last) => (last ? ': last ${version}\\n' : [': ${version}\\n', chunk]));
    },
    response(flow, ctx) { if (isChat(flow)) ctx.log.info('${version} response'); },
    running(ctx) { ctx.signal.addEventListener('abort', () => ctx.log.info('${version} aborted')); },
    done(ctx) { ctx.log.info('${version} done'); },
  });`;
const versionsIn = (body: string) => [...new Set([...body.matchAll(/^: (\w+)$/gm)].map(([, version]) => version))];

for (const [what, settings, streamMs, outlives] of [
  ['within the drain limit', 'drainMs: 30_000,', 5_000, false],
  ['beyond the drain limit', 'drainMs: 300,', 2_000, true],
] as const) {
  describe(`a stream that is open while its addon is saved, ${what}`, () => {
    let fake: FakeCopilot;
    let proxy: ProxyProcess;
    let traffic: Traffic;
    const events = 20;
    const options = {
      config: configOf(`'tag.ts'`, settings),
      files: { 'tag.ts': marking('v1') },
    };
    setBusyStage(options, (stage) => {
      ({ fake, proxy, traffic } = stage);
      fake.plan = () => ({ delayMs: streamMs / events, pieces: Array(events).fill('x') });
    });

    it('ends whole, in one version, while new requests get the new one at once', async () => {
      const session = await openSession(proxy, 'alice', API_HOST);
      const headers = { ':method': 'POST', ':path': '/chat/completions' };
      const open = ask(session, headers, chatRequest('long'));
      await eventually('it is under way', () =>
        fake.requests.some(({ path, sentAt }) => path.includes('chat') && sentAt.length > 1),
      );
      await sleep(300);
      proxy.write('tag.ts', marking('v2'));
      await becomesLive(traffic, 'v2');
      if (outlives) {
        await proxy.said(/v1 aborted/, 0, 1_500);
        await proxy.said(/v1 done/);
        assert.doesNotMatch(proxy.output, /response/);
      }
      const { body, headers: answered } = await open;
      assert.equal(answered['x-tag'], 'v1');
      assert.deepEqual(versionsIn(body), ['v1']);
      assert.match(body, /data: \[DONE\]\n\n: last v1\n$/);
      assert.equal(body.match(/"content":"x"/g)?.length, events);
      await proxy.said(/v1 done/);
      await proxy.said(/v\d response/);
      const hooks = [...proxy.output.matchAll(/v\d (?:request|response|aborted|done)/g)].map(([hook]) => hook);
      assert.deepEqual(
        hooks,
        outlives
          ? ['v1 request', 'v1 aborted', 'v1 done', 'v2 response']
          : ['v1 request', 'v1 response', 'v1 aborted', 'v1 done'],
      );
      session.close();
    });
  });
}
