import { z } from 'zod';

/** A name that Basic authentication can carry. */
export const userName = z
  .string()
  .min(1)
  .refine((name) => !name.includes(':'), 'a user name cannot hold a colon: Basic authentication ends it there')
  .refine((name) => !/\p{Cc}/u.test(name), 'a user name cannot hold control characters')
  .refine((name) => name.trim() === name, 'a user name cannot begin or end with a space');

const file = z.string().min(1);

export const options = z.object({
  users: z.array(userName).default([]).describe('who may use the proxy; each gets a password in logs/user_auth.json'),
  htpasswd: file.optional().describe('an htpasswd file (bcrypt, {SHA} or apr1) whose users may use it as well'),
  groups: z
    .union([z.record(z.string(), z.array(userName)), file])
    .default({})
    .describe('users by group; or a group file, with a line "group: user user" for each'),
  disabled: z.array(userName).default([]).describe('users who are turned away with a 403 when their password is right'),
  required: z.boolean().default(true).describe('false: who sends no credentials passes as "anonymous"'),
  secret: z
    .string()
    .min(16)
    .optional()
    .describe('what passwords are derived from; made once and kept beside the CA when it is not given'),
  rememberClients: z
    .boolean()
    .default(false)
    .describe('who sends no credentials passes as the user that came last from that address, if one did'),
  logNames: z
    .boolean()
    .default(true)
    .describe('name users on the log; with false, nobody can be told there by the time'),
  rememberDays: z
    .number()
    .positive()
    .optional()
    .describe('days after which an address is forgotten; never when it is not given'),
});

export type AuthOptions = z.infer<typeof options>;

declare module 'insight-dump' {
  interface AddonOptions {
    auth?: z.input<typeof options>;
  }
}
