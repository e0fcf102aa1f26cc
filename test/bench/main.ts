/**
 * Measures insight-dump side by side with others, on the same work: `npm run bench`.
 *
 *     npm run bench -- --work json-h1-16 --only "insight-dump, all addons" --profile
 */
import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import yargs from 'yargs';
import { CONTESTANTS } from './contestants.ts';
import { buildPrograms } from './programs.ts';
import { takeTurns } from './rounds.ts';
import { asText, tableOf } from './table.ts';
import { type Member, Team } from './team.ts';
import { THROUGHPUT } from './throughput.ts';

const flags = await yargs(process.argv.slice(2))
  .scriptName('npm run bench --')
  .options({
    only: {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'only contestants whose name holds this; repeat for more',
    },
    work: { type: 'string', array: true, nargs: 1, describe: 'only works whose name holds this; repeat for more' },
    rounds: { type: 'number', default: 5, describe: 'how many times each is measured' },
    seconds: { type: 'number', default: 1, describe: 'for how long each time' },
    profile: { type: 'boolean', describe: 'write CPU profiles of processes of Node into a temporary folder' },
  })
  .strict()
  .version(false)
  .parse();

const say = (text = '') => process.stdout.write(`${text}\n`);
const matching = <T extends { readonly name: string }>(
  all: readonly T[],
  words: readonly string[] | undefined,
): T[] => {
  const some = all.filter(({ name }) => words === undefined || words.some((word) => name.includes(word)));
  if (some.length === 0)
    throw new Error(`there is none: ${words}; there are: ${all.map(({ name }) => name).join(' | ')}`);
  return some;
};

const works = matching(THROUGHPUT, flags.work);
await buildPrograms();
const profiles = flags.profile ? mkdtempSync(path.join(os.tmpdir(), 'insight-dump-profiles-')) : undefined;
const team = await Team.start({ profiles });
try {
  const members: Member[] = [];
  for (const contestant of matching(CONTESTANTS, flags.only)) {
    const reason = await contestant.missing?.();
    if (reason === undefined) members.push(await team.add(contestant));
    else say(`Left out: ${contestant.name}. ${reason}`);
  }
  for (const work of works) {
    const { rounds, seconds } = flags;
    const outcomes = await takeTurns(team, members, work, { rounds, seconds, warmUpSeconds: 2 });
    team.keepProfiles(work.name);
    say(`\n${work.title} (${work.name})\n`);
    say(asText(tableOf(work, outcomes)));
  }
  if (profiles !== undefined) say(`\nProfiles: ${profiles}`);
} finally {
  await team.stop();
}
