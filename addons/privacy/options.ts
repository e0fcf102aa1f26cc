import { z } from 'zod';

/** What is kept of a user's exchanges: all; everything but what was said; or nothing, not even in counts. */
const mode = z.enum(['full', 'metadata-only', 'off']);

export type Mode = z.infer<typeof mode>;

export const options = z.object({
  default: mode.default('full').describe('what is kept of those whom neither users nor groups name'),
  users: z.record(z.string(), mode).default({}).describe('by user; where several apply, the strictest counts'),
  groups: z.record(z.string(), mode).default({}).describe('by group'),
  pseudonyms: z
    .boolean()
    .default(false)
    .describe('call users by pseudonyms in records and counts, made with a secret that is kept beside the CA'),
  mask: z.boolean().default(false).describe('take secrets and e-mail addresses out of what was asked and answered'),
  maskTimeoutMs: z
    .int()
    .min(1)
    .default(2_000)
    .describe('how long that may take; content for which it takes longer is not kept'),
  notice: z
    .string()
    .optional()
    .describe('what users are told about their records, by "insight-dump privacy" and the page'),
});

export type PrivacyOptions = z.infer<typeof options>;

declare module 'insight-dump' {
  interface AddonOptions {
    privacy?: z.input<typeof options>;
  }
}
