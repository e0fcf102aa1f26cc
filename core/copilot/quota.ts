import type { HeaderList, Quota } from '../addon.ts';
import { MAX_WORD_LENGTH } from './answer.ts';
import { at, hasObjectAt } from './json.ts';

const PREFIX = 'x-quota-snapshot-';
const MAX_QUOTAS = 16;

type Quotas = Record<string, Quota>;

/**
 * The quotas that an answer tells: in its headers, as `x-quota-snapshot-chat: ent=500&ov=0.0&ovPerm=false&rem=97.5&rst=…`,
 * or in the last event of responses (`copilot_quota_snapshots`), which is the only place on a WebSocket.
 */
export function quotaOf(headers: HeaderList | undefined, snapshots: unknown): Quotas {
  const quotas: Quotas = Object.create(null);
  const told = [...headersOf(headers ?? []), ...snapshotsOf(snapshots)].slice(0, MAX_QUOTAS);
  for (const [name, quota] of told) quotas[name.toLowerCase().slice(0, MAX_WORD_LENGTH)] = quota;
  return quotas;
}

function* headersOf(headers: Iterable<readonly [name: string, value: string]>): Generator<[string, Quota]> {
  for (const [name, value] of headers) {
    if (!name.toLowerCase().startsWith(PREFIX)) continue;
    const fields = new URLSearchParams(value);
    const quota = {
      entitlement: numberOf(fields.get('ent')),
      percentRemaining: numberOf(fields.get('rem')),
      overage: numberOf(fields.get('ov')),
      overagePermitted: fields.get('ovPerm') === 'true',
      resetsAt: dateOf(fields.get('rst')),
    };
    yield [name.slice(PREFIX.length), quota];
  }
}

function* snapshotsOf(snapshots: unknown): Generator<[string, Quota]> {
  if (typeof snapshots !== 'object' || snapshots === null) return;
  for (const name of Object.keys(snapshots)) {
    if (!hasObjectAt(snapshots, name)) continue;
    const quota = {
      entitlement: numberOf(at(snapshots, name, 'entitlement')),
      percentRemaining: numberOf(at(snapshots, name, 'percent_remaining')),
      overage: numberOf(at(snapshots, name, 'overage_count')),
      overagePermitted: at(snapshots, name, 'overage_permitted') === true,
      resetsAt: dateOf(at(snapshots, name, 'reset_date')),
    };
    yield [name, quota];
  }
}

/** Servers write numbers as such, or as texts. */
function numberOf(value: unknown): number {
  const number = typeof value === 'string' || typeof value === 'number' ? Number(value) : 0;
  return Number.isFinite(number) ? number : 0;
}

function dateOf(value: unknown): string | undefined {
  const date = new Date(typeof value === 'string' ? value : '');
  return Number.isNaN(date.getTime()) ? undefined : date.toISOString();
}
