import type { HeaderList, Quota } from '../addon.ts';
import { MAX_WORD_LENGTH } from './answer.ts';

const PREFIX = 'x-quota-snapshot-';
const MAX_QUOTAS = 16;

/** The quotas that an answer's headers tell: `x-quota-snapshot-chat: ent=500&ov=0.0&ovPerm=false&rem=97.5&rst=…`. */
export function quotaOf(headers: HeaderList): Record<string, Quota> {
  const quotas: Record<string, Quota> = Object.create(null);
  const told = [...headers].filter(([name]) => name.toLowerCase().startsWith(PREFIX)).slice(0, MAX_QUOTAS);
  for (const [name, value] of told) {
    const fields = new URLSearchParams(value);
    const numberOf = (field: string) => Number(fields.get(field)) || 0;
    const resets = new Date(fields.get('rst') ?? '');
    quotas[name.slice(PREFIX.length).toLowerCase().slice(0, MAX_WORD_LENGTH)] = {
      entitlement: numberOf('ent'),
      percentRemaining: numberOf('rem'),
      overage: numberOf('ov'),
      overagePermitted: fields.get('ovPerm') === 'true',
      resetsAt: Number.isNaN(resets.getTime()) ? undefined : resets.toISOString(),
    };
  }
  return quotas;
}
