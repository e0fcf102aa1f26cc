import { after, before } from 'node:test';
import { type FakeCopilot, startFakeCopilot } from './fake-copilot.ts';
import { type ProxyOptions, ProxyProcess } from './proxy-process.ts';

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
