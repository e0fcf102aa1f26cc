import { z } from 'zod';

export const options = z.object({
  format: z
    .enum(['json', 'ndjson'])
    .default('json')
    .describe('a JSON file for each exchange; or a file of lines for each user, kind and day, for large sites'),
  otherContent: z
    .boolean()
    .default(false)
    .describe(
      'keep what was said in exchanges that are neither a turn nor a completion; without it, their metadata only',
    ),
  fsync: z
    .enum(['never', 'interval', 'always'])
    .default('always')
    .describe(
      'when records are forced to the disk, so that they survive a loss of power: never, each second, or each before it is counted',
    ),
  maxQueued: z
    .int()
    .min(1)
    .default(10_000)
    .describe('exchanges that may wait to be written; those that come on top of them are lost'),
  maxQueuedMiB: z.number().positive().default(64).describe('how much they may hold, in MiB'),
  maxFileMiB: z
    .number()
    .positive()
    .default(64)
    .describe('ndjson: a file that has become as large is followed by another'),
  gzip: z.boolean().default(false).describe('ndjson: pack the files of days that are over'),
  retentionDays: z
    .int()
    .min(1)
    .optional()
    .describe('full days for which records are kept, of telemetry as well; for good when it is not given'),
});

export type UsageOptions = z.infer<typeof options>;

declare module 'insight-dump' {
  interface AddonOptions {
    usage?: z.input<typeof options>;
  }
}
