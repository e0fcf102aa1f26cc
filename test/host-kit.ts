/** Parts for tests of the core, beside those of the kit for authors. */
import type { Addon } from '../core/addon.ts';
import { HttpResponse } from '../core/flow.ts';
import { type HeaderPair, Headers } from '../core/headers.ts';
import { Host, type HostLimits, type OptionSources } from '../core/host.ts';
import type { FlagValues } from '../core/options.ts';
import type { Script } from '../core/script.ts';
import { chunksOf } from './kit/test-flow.ts';
import { type FlowParts, type LogLine, MemoryLog, makeFlow, type TestFlow } from './kit.ts';

/** A flow that is over, without any hook having seen it. */
export function endedFlow(parts: FlowParts = {}): TestFlow {
  const flow = makeFlow({ url: 'https://api.githubcopilot.com/chat/completions', method: 'POST', ...parts });
  flow.request.body.push(flow.requestBody);
  const { status = 200, headers = {}, body = '' } = parts.response ?? {};
  const list = new Headers(Object.entries(headers) as HeaderPair[]);
  flow.response = new HttpResponse({ status, statusText: 'OK', headers: list, httpVersion: '1.1' }, 1e7);
  for (const chunk of chunksOf(body)) flow.response.body.push(chunk);
  flow.error = parts.error;
  flow.timings.end = flow.now();
  return flow;
}

/** What a log was told at a level, with the addon it is from. */
export function said(log: MemoryLog, level: LogLine['level']): string[] {
  return log.lines
    .filter((line) => line.level === level)
    .map(({ addon, message }) => (addon === undefined ? message : `[${addon}] ${message}`));
}

export interface HostKit {
  readonly host: Host;
  readonly log: MemoryLog;
  /** Takes addons into the chain, each as a script of its own. */
  use(...addons: readonly Addon[]): Promise<void>;
}

const NO_FLAGS: ReadonlyMap<string, FlagValues> = new Map();

export function sourcesOf(options: Readonly<Record<string, object>> = {}): OptionSources {
  return { given: (addon) => (options[addon] ?? {}) as Record<string, unknown>, flags: () => NO_FLAGS };
}

/** A host with short limits. */
export function makeHost(
  settings: { options?: Record<string, object>; limits?: Partial<HostLimits>; logs?: string; confdir?: string } = {},
): HostKit {
  const log = new MemoryLog();
  const limits = { hookTimeoutMs: 5_000, lifecycleTimeoutMs: 100, drainMs: 100, ...settings.limits };
  const paths = { logs: settings.logs ?? '/nowhere', confdir: settings.confdir ?? '/nowhere', config: '/nowhere' };
  const host = new Host({ log, paths, limits }, sourcesOf(settings.options));
  return {
    host,
    log,
    async use(...addons) {
      const slots = [];
      for (const [i, addon] of addons.entries()) {
        const script = scriptOf(addon, { path: `/scripts/${addon.name ?? i}.ts` });
        slots.push({ script: script.path, name: 'one', required: false, instances: await host.prepare(script) });
      }
      host.apply(slots);
    },
  };
}

export function scriptOf(addon: Addon, more: Partial<Script> = {}): Script {
  const path = more.path ?? '/scripts/one.ts';
  return { path, files: new Set([path]), required: false, addons: [{ name: addon.name ?? 'one', addon }], ...more };
}
