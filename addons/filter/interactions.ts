import type { CopilotExchange } from 'insight-dump';

/** When each was met last, in milliseconds since the epoch, by user and interaction; the oldest come first. */
export type Interactions = Map<string, number>;

/** Editors give each question an id of its own; one that is met again much later is another's. */
const FORGET_AFTER_MS = 60 * 60 * 1000;
const MAX_INTERACTIONS = 10_000;

/** What is known of an interaction by one of its calls. */
export type Met = Pick<CopilotExchange, 'user' | 'interaction' | 'startMs'>;

/** Notes whose question this is part of. One question can make several calls that all look like it. */
export function noteInteraction({ user, interaction, startMs }: Met, met: Interactions): 'new' | 'known' {
  if (interaction === undefined) return 'new';
  const key = `${user} ${interaction}`;
  const before = met.get(key);
  met.delete(key);
  met.set(key, startMs);
  if (met.size > MAX_INTERACTIONS) met.delete(met.keys().next().value as string);
  return before !== undefined && startMs - before < FORGET_AFTER_MS ? 'known' : 'new';
}
