import { isTimeZone } from 'insight-dump';
import { z } from 'zod';

const amount = z.number().positive();
const whole = amount.int();

/** What can be limited. Turns, tokens and credits are those of chats; ghost text is limited by its completions only. */
export const UNITS = ['turns', 'completions', 'tokens', 'credits'] as const;
export type Unit = (typeof UNITS)[number];

const SUBJECTS = ['user', 'group', 'everyone'] as const;

const limit = z
  .strictObject({
    user: z.string().min(1).optional(),
    group: z.string().min(1).optional(),
    everyone: z.literal(true).optional(),
    turns: whole.optional(),
    completions: whole.optional(),
    tokens: whole.optional(),
    credits: amount.optional(),
    action: z.enum(['warn', 'refuse']).default('warn'),
    at: z.array(z.number().gt(0).lte(1)).min(1).default([0.8, 1]),
    shared: z.boolean().default(false),
  })
  .superRefine((given, ctx) => {
    const problem = (message: string) => ctx.addIssue({ code: 'custom', message });
    if (SUBJECTS.filter((subject) => given[subject] !== undefined).length !== 1)
      problem('say whom it is for by one of user: "name", group: "name" or everyone: true');
    if (UNITS.every((unit) => given[unit] === undefined))
      problem(`say how much by at least one of ${UNITS.join(', ')}`);
    if (given.shared && given.user !== undefined)
      problem('one user has nobody to share with: shared goes with group or everyone');
  });

/** So much of one user or of each, or of all together, on one day. */
export type Limit = z.output<typeof limit>;

/** What is known of whoever asks. */
export interface Asker {
  /** By which limits are meant. */
  readonly user: string;
  /** What stands for it in what is kept and told; undefined for the name itself. */
  readonly alias?: string | undefined;
  readonly groups: readonly string[];
}

export const options = z.object({
  limits: z
    .array(limit)
    .default([])
    .describe('what users may use each day; the strictest of those that fit a user decides'),
  timeZone: z
    .string()
    .refine(isTimeZone, 'expected the name of a time zone, as in UTC or Europe/Berlin')
    .default('UTC')
    .describe('in which days begin and end, by its IANA name'),
  webhook: z
    .url({ protocol: /^https?$/, error: 'expected an http:// or https:// URL' })
    .refine((url) => !URL.canParse(url) || new URL(url).username + new URL(url).password === '', {
      error: 'a user name or password in it cannot be sent: use a URL with a token in its path or query',
    })
    .optional()
    .describe('where each warning is posted to as JSON; Slack and the like show its "text"'),
  contact: z.string().min(1).optional().describe('told to users who are refused: whom to ask for more'),
});

export type BudgetsOptions = z.infer<typeof options>;

declare module 'insight-dump' {
  interface AddonOptions {
    budgets?: z.input<typeof options>;
  }
}
