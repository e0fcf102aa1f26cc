/** The page of the figures. */
import { readFileSync } from 'node:fs';
import os from 'node:os';
import { BUDGETS, type Results } from './budgets.ts';
import type { Played } from './play.ts';
import { asMarkdown, type Table, tableOf } from './table.ts';

/** Budgets, and what is left of them. */
export function budgetTable(results: Results): Table {
  return [
    ['with all addons', 'budget', 'measured', ''],
    ...BUDGETS.map(({ what, wanted, judge }) => {
      const judgement = judge(results);
      const verdict = judgement === undefined ? 'not measured' : judgement.isMet ? 'met' : '**missed**';
      return [what, wanted, judgement?.measured ?? '–', verdict];
    }),
  ];
}

export function resultsOf(played: readonly Played[]): Results {
  return new Map(
    played.flatMap(({ scene, outcomes }) =>
      [...outcomes].map(([work, done]) => [`${scene.name}/${work}`, done] as const),
    ),
  );
}

export function pageOf(played: readonly Played[], minutes: number): string {
  return [
    INTRODUCTION,
    machineLine(minutes),
    '## Budgets',
    asMarkdown(budgetTable(resultsOf(played))),
    readFileSync(new URL('notes.md', import.meta.url), 'utf8').trim(),
    ...played.flatMap(sectionsOf),
    HOW,
    '',
  ].join('\n\n');
}

function machineLine(minutes: number): string {
  const cores = os.availableParallelism();
  const date = new Date().toISOString().slice(0, 10);
  return `One run of ${Math.round(minutes)} minutes, on ${date}, on a machine with ${cores} cores, with Node.js ${process.versions.node}.`;
}

function sectionsOf({ scene, outcomes, leftOut, versions, recorded }: Played): string[] {
  const who = scene.contestants
    .filter(({ about }) => about !== '')
    .map(({ name, about }) => `- **${[name, versions.get(name)].join(' ').trim()}**: ${about}.`);
  return [
    `## ${scene.title}`,
    scene.about,
    ...(who.length > 1 ? [who.join('\n')] : []),
    ...[...leftOut].map(([name, reason]) => `Left out is ${name}: ${reason}.`),
    ...scene.works.flatMap(({ name, title, measures }) => {
      const done = outcomes.get(name);
      if (done === undefined) return [];
      const failures = [...done].flatMap(([who, outcome]) => ('failed' in outcome ? `${who}: ${outcome.failed}` : []));
      return [`### ${title}`, asMarkdown(tableOf(done, measures, scene.ratios)), ...failures];
    }),
    ...(recorded.size > 0 ? [recordedLine(recorded)] : []),
  ];
}

function recordedLine(recorded: Played['recorded']): string {
  const many = (value: number) => value.toLocaleString('en');
  const each = [...recorded].map(([name, { exchanges, records }]) => `${name}, ${many(records)} of ${many(exchanges)}`);
  return `Recorded of what was answered: ${each.join('; ')}.`;
}

const INTRODUCTION = `# Benchmarks

What insight-dump costs, side by side with others that do the same work, and whether it keeps its budgets. This page is
written by \`npm run bench\`.`;

const HOW = `## How it is measured

The client, the server and each proxy are processes of their own, on one machine, over loopback. The proxies do a work
one after another, round by round, so that what disturbs the machine disturbs all of them. Each figure is the median of
the rounds, and in parentheses is where the middle half of them lies. Ratios are made within each round.

- **per second** and the times are those of the client. On a machine with two cores, it takes its share of them, and so does the server:
  look at how the proxies compare, not at how much is served.
- **CPU ms each** is the processor time of the proxy's process, all its threads included, for each request or tunnel.
  What it goes on with afterwards counts too: it is waited for until all records are written.
- **loop delay** is how late the event loop of the proxy was, for those that run on Node.js.
- **lag** is the time of a chunk from the server's hand into the client's.
- **start** is that of a proxy that has been started before, and has its CA. Only mockttp makes one each time.
- **RSS** is the resident memory of the proxy's process. For what is measured of memory, a process is started anew.
- Each answer is checked: a proxy that does not pass on what the server sent has no figures.

## Measure it yourself

\`\`\`sh
npm run bench                                     # everything; takes a quarter of an hour, and writes this page
npm run bench -- --quick                          # a minute; fails if something has become ten times as slow
npm run bench -- --work all/json --only addons    # works and contestants whose names hold these words
npm run bench -- --work all/ghost-h2 --profile    # with CPU profiles, for the developer tools of Chrome
\`\`\`

\`mitmdump\` takes part where it is on the \`PATH\` (\`apt-get install mitmproxy\`).`;
