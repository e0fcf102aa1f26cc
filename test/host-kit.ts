/** Parts for tests of addons and their host, without a proxy. */
import type { Addon, Client, Flow, Log } from '../core/addon.ts';
import { HttpFlow, HttpRequest, HttpResponse } from '../core/flow.ts';
import { type HeaderPair, Headers } from '../core/headers.ts';
import { Host, type HostLimits, type OptionSources } from '../core/host.ts';
import type { ChildLog } from '../core/log.ts';
import type { FlagValues } from '../core/options.ts';
import type { Script } from '../core/script.ts';

/** A log that remembers. */
export class MemoryLog implements ChildLog {
  readonly lines: string[] = [];

  child(addon?: string): Log {
    const write = (level: string) => (message: string) => {
      this.lines.push(`${level} ${addon === undefined ? '' : `[${addon}] `}${message}`);
    };
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  }

  /** Lines of these levels. */
  of(...levels: readonly string[]): string[] {
    return this.lines.filter((line) => levels.includes(line.split(' ')[0] as string));
  }
}

export const CLIENT: Client = { id: 'c1', address: '10.0.0.1', port: 5000, user: 'alice' };

export interface FlowParts {
  readonly method?: string;
  readonly url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  readonly status?: number;
  readonly responseHeaders?: Readonly<Record<string, string>>;
  readonly responseBody?: string | Buffer;
  readonly error?: Flow['error'];
  readonly user?: string | undefined;
}

/** A flow that is over: its request, its response, or its error. */
export function makeFlow(parts: FlowParts = {}): HttpFlow {
  const {
    method = 'POST',
    url = 'https://api.githubcopilot.com/chat/completions',
    body = '',
    responseBody = '',
  } = parts;
  const { hostname, pathname, search } = new URL(url);
  const target = { scheme: 'https', host: hostname, port: 443 } as const;
  const list = (headers: Readonly<Record<string, string>> = {}) => new Headers(Object.entries(headers) as HeaderPair[]);
  const head = { method, target, path: pathname + search, headers: list(parts.headers), httpVersion: '2.0' } as const;
  const request = new HttpRequest(head, 1e6);
  request.body.push(Buffer.from(body));
  const flow = new HttpFlow({ ...CLIENT, user: 'user' in parts ? parts.user : 'alice' }, request);
  const { status = 200, responseHeaders } = parts;
  flow.response = new HttpResponse(
    { status, statusText: 'OK', headers: list(responseHeaders), httpVersion: '1.1' },
    1e6,
  );
  flow.response.body.push(Buffer.from(responseBody));
  flow.error = parts.error;
  flow.timings.end = flow.now();
  return flow;
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
  const paths = { logs: settings.logs ?? '/nowhere', confdir: settings.confdir ?? '/nowhere' };
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
