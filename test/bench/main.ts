/**
 * Measures insight-dump side by side with others, on the same work: `npm run bench`. What it says at the end of
 * docs/benchmarks.md tells how.
 */
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import yargs from 'yargs';
import { ROOT } from '../proxy-process.ts';
import { allAddons, noAddon } from './contestants.ts';
import { GATES, tryGates } from './gates.ts';
import { minimal } from './other-contestants.ts';
import { type Played, play } from './play.ts';
import { topOf } from './profile.ts';
import { buildPrograms } from './programs.ts';
import { budgetTable, pageOf, resultsOf } from './report.ts';
import type { RoundOptions } from './rounds.ts';
import { SCENES } from './scenes.ts';
import { asText, tableOf } from './table.ts';
import { Team } from './team.ts';
import type { Scene } from './work.ts';

const flags = await yargs(process.argv.slice(2))
  .scriptName('npm run bench --')
  .options({
    quick: { type: 'boolean', describe: 'only what takes a minute at most; fail if it is ten times as slow as it was' },
    only: {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'only contestants whose name holds this; repeat for more',
    },
    work: {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'only works whose name holds this, as all/json-h1-16; repeat for more',
    },
    rounds: { type: 'number', describe: 'how many times each is measured' },
    seconds: { type: 'number', describe: 'for how long each time' },
    profile: { type: 'boolean', describe: 'write CPU profiles of Node’s main threads into a temporary folder' },
  })
  .strict()
  .version(false)
  .parse();

const FULL: RoundOptions = {
  rounds: 4,
  span: { seconds: 0.6, requests: 0 },
  warmUp: { seconds: 0.6, requests: 300 },
  firstWarmUp: { seconds: 2, requests: 3_000 },
};
const QUICK: RoundOptions = {
  rounds: 2,
  span: { seconds: 0.6, requests: 0 },
  warmUp: { seconds: 0.5, requests: 0 },
  firstWarmUp: { seconds: 1, requests: 500 },
};
const MINUTE_MS = 60_000;
/** As shells have it for a program that SIGINT has ended. */
const INTERRUPTED = 130;

const say = (text = '') => process.stdout.write(`${text}\n`);
const matches = (words: readonly string[] | undefined, name: string) =>
  words === undefined || words.some((word) => name.includes(word));

/** What is left of a scene by what was asked for. */
function chosen(scene: Scene): Scene {
  return {
    ...scene,
    contestants: scene.contestants.filter(({ name }) => matches(flags.only, name)),
    works: scene.works.filter(({ name }) => matches(flags.work, `${scene.name}/${name}`)),
  };
}

/** What gates are tried on. */
function quickScene(): Scene {
  const [all] = SCENES as [Scene];
  const works = all.works.filter(({ name }) => GATES.some(({ work }) => work === name));
  return {
    ...all,
    contestants: [minimal, noAddon, allAddons],
    works,
    ratios: [{ measure: 'cpuMs', to: minimal.name }],
  };
}

const scenes = (flags.quick ? [quickScene()] : SCENES.map(chosen)).filter(
  ({ contestants, works }) => contestants.length > 0 && works.length > 0,
);
const isWhole = !flags.quick && flags.only === undefined && flags.work === undefined;
const usual = flags.quick ? QUICK : FULL;
const options: RoundOptions = {
  ...usual,
  rounds: flags.rounds ?? usual.rounds,
  span: { ...usual.span, seconds: flags.seconds ?? usual.span.seconds },
};
if (scenes.length === 0) {
  const works = SCENES.flatMap((scene) => scene.works.map(({ name }) => `${scene.name}/${name}`));
  const names = new Set(SCENES.flatMap(({ contestants }) => contestants.map(({ name }) => name)));
  throw new Error(`nothing is named so. Works: ${works.join(', ')}. Contestants: ${[...names].join('; ')}`);
}

await buildPrograms();
const profiles = flags.profile ? mkdtempSync(path.join(os.tmpdir(), 'insight-dump-profiles-')) : undefined;
const beganMs = performance.now();
const played: Played[] = [];
const team = await Team.start({ profiles });
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => void team.stop().finally(() => process.exit(INTERRUPTED)));
try {
  for (const scene of scenes) {
    say(`\n# ${scene.title}`);
    const one = await play(team, scene, options, (work, outcomes, profiled) => {
      say(`\n${work.title} (${scene.name}/${work.name})\n\n${asText(tableOf(outcomes, work.measures, scene.ratios))}`);
      for (const [who, outcome] of outcomes) if ('failed' in outcome) say(`${who} failed: ${outcome.failed}`);
      for (const [who, file] of profiled)
        say(`\n${who}: ${file}\n\n${asText(topOf(JSON.parse(readFileSync(file, 'utf8'))))}`);
    });
    for (const [who, reason] of one.leftOut) say(`\nLeft out: ${who}. ${reason}`);
    for (const [who, { exchanges, records }] of one.recorded)
      say(`\n${who} has recorded ${records} of ${exchanges} exchanges`);
    played.push(one);
  }

  const minutes = (performance.now() - beganMs) / MINUTE_MS;
  if (flags.quick) {
    say();
    for (const { said, isOpen } of tryGates(resultsOf(played))) {
      say(`${isOpen ? '✅' : '❌'} ${said}`);
      if (!isOpen) process.exitCode = 1;
    }
  }
  if (isWhole) {
    say(`\n# Budgets\n\n${asText(budgetTable(resultsOf(played)))}`);
    writeFileSync(path.join(ROOT, 'docs/benchmarks.md'), pageOf(played, minutes));
    say('\ndocs/benchmarks.md has been written.');
  }
  say(`\nIt took ${minutes.toFixed(1)} minutes.`);
} finally {
  await team.stop();
}
