/** `insight-dump users`: what an administrator does with users, whether a proxy runs or not. */
import { parseArgs } from 'node:util';
import { askPassword } from './ask-password.ts';
import { userName } from './options.ts';
import { addUser, findUser, generatePassword, removeUser, setPassword, type UsersContext } from './user-edits.ts';
import { listText, proxyUrl } from './user-texts.ts';

const USAGE = `insight-dump users [list]
insight-dump users add NAME [--group GROUP]…   make a user, with a password that is generated
insight-dump users passwd NAME [--generate]    set the password: asked for, from standard input, or generated
insight-dump users show NAME                   print the proxy URL that the user sets in the editor
insight-dump users remove NAME

Users are added to the htpasswd file if options.auth.htpasswd names one, to logs/user_auth.json otherwise.
A proxy that runs takes a change within a second.
`;

const FLAGS = {
  group: { type: 'string', multiple: true },
  generate: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
} as const;

interface Action {
  readonly takesName: boolean;
  /** Those that mean something to it. */
  readonly flags: readonly (keyof typeof FLAGS)[];
  /** Returns what is printed. */
  run(ctx: UsersContext, user: string, flags: { group: readonly string[]; generate: boolean }): Promise<string>;
}

const ACTIONS: ReadonlyMap<string, Action> = new Map<string, Action>([
  ['list', { takesName: false, flags: [], run: listText }],
  [
    'add',
    {
      takesName: true,
      flags: ['group'],
      async run(ctx, user, { group }) {
        const { password, file } = await addUser(ctx, user, group);
        return `${user} is added, in ${file}\n${proxyUrl(ctx, user, password)}\n`;
      },
    },
  ],
  [
    'passwd',
    {
      takesName: true,
      flags: ['generate'],
      async run(ctx, user, { generate }) {
        await findUser(ctx, user);
        const password = generate ? generatePassword() : await askPassword(user);
        const { file } = await setPassword(ctx, user, password);
        return `${user} has another password, in ${file}\n${generate ? `${proxyUrl(ctx, user, password)}\n` : ''}`;
      },
    },
  ],
  [
    'show',
    {
      takesName: true,
      flags: [],
      async run(ctx, user) {
        const { secret } = await findUser(ctx, user);
        if (secret !== undefined && 'password' in secret) return `${proxyUrl(ctx, user, secret.password)}\n`;
        const why =
          secret === undefined
            ? 'has no password before the proxy starts'
            : 'has a password of which only a hash is kept';
        throw new Error(`${user} ${why}: set one, with users passwd ${user}`);
      },
    },
  ],
  [
    'remove',
    {
      takesName: true,
      flags: [],
      run: async (ctx, user) => `${user} is removed from ${(await removeUser(ctx, user)).join(' and ')}\n`,
    },
  ],
]);

export async function usersCommand(args: readonly string[], ctx: UsersContext): Promise<string> {
  const { values, positionals } = parseArgs({ args: [...args], options: FLAGS, allowPositionals: true });
  if (values.help) return USAGE;
  const [name = 'list', ...names] = positionals;
  const action = ACTIONS.get(name);
  if (action === undefined) throw ctx.usage(`no action "${name}": expected ${[...ACTIONS.keys()].join(', ')}`);
  const { group = [], generate = false } = values;
  const stray = Object.keys(values).find((flag) => !action.flags.some((own) => own === flag));
  if (stray !== undefined) throw ctx.usage(`--${stray} means nothing to ${name}`);
  if (names.length !== (action.takesName ? 1 : 0))
    throw ctx.usage(`${name}: expected ${action.takesName ? 'the name of one user' : 'nothing more'}`);
  return action.run(ctx, action.takesName ? validName(names[0] ?? '', ctx) : '', { group, generate });
}

function validName(name: string, ctx: UsersContext): string {
  const result = userName.safeParse(name.normalize());
  if (result.success) return result.data;
  throw ctx.usage(result.error.issues[0]?.message ?? 'no name for a user');
}
