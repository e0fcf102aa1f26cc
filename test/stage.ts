import assert from 'node:assert/strict';
import { after, afterEach, before } from 'node:test';
import { type FakeCopilot, startFakeCopilot } from './fake-copilot.ts';
import { type ProxyOptions, ProxyProcess } from './proxy-process.ts';
import { Traffic } from './traffic.ts';

export interface Stage {
  readonly fake: FakeCopilot;
  readonly proxy: ProxyProcess;
}

/** Starts a fake Copilot and a proxy before it for the tests of one `describe`, and ends both afterwards. */
export function setStage(
  options: ProxyOptions,
  plan: FakeCopilot['plan'] | undefined,
  use: (stage: Stage) => void,
): void {
  let stage: Partial<Stage> = {};
  before(async () => {
    const fake = await startFakeCopilot(plan);
    stage = { fake };
    const proxy = await ProxyProcess.start({ ...options, upstream: fake });
    stage = { fake, proxy };
    use({ fake, proxy });
  });
  after(async () => {
    await stage.proxy?.stop();
    await stage.fake?.close();
  });
}

/** Far below what is sent; less says that there was hardly any traffic to fail. */
const MIN_REQUESTS_PER_SECOND = 25;

/** The same, with alice's steady traffic running all the time: no test may cost her a request. */
export function setBusyStage(options: ProxyOptions, use: (stage: Stage & { readonly traffic: Traffic }) => void): void {
  let traffic: Traffic | undefined;
  // Hooks run in the order in which they are set: the traffic ends before the proxy does.
  after(async () => {
    await traffic?.stop();
    assert.ok(traffic === undefined || traffic.rate > MIN_REQUESTS_PER_SECOND, `${traffic?.rate} requests a second`);
  });
  setStage(options, undefined, (stage) => {
    traffic = new Traffic(stage.proxy, 'alice');
    use({ ...stage, traffic });
  });
  afterEach(() => assert.deepEqual(traffic?.failures.splice(0), []));
}
