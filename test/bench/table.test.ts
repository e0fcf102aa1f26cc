import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Outcomes } from './rounds.ts';
import { asMarkdown, asText, tableOf } from './table.ts';

const OUTCOMES: Outcomes = new Map([
  ['direct', { samples: [{ perSecond: 1_000 }, { perSecond: 3_000 }, { perSecond: 2_000 }] }],
  [
    'fast',
    {
      samples: [
        { perSecond: 400, cpuMs: 0.5 },
        { perSecond: 900, cpuMs: 0.5 },
        { perSecond: 500, cpuMs: 0.5 },
      ],
    },
  ],
  [
    'slow',
    {
      samples: [
        { perSecond: 100, cpuMs: 1 },
        { perSecond: 300, cpuMs: 2 },
        { perSecond: 100, cpuMs: 3 },
      ],
    },
  ],
  ['broken', { failed: 'an answer 502' }],
]);

describe('a table of what was measured', () => {
  it('has medians with their spread, and no column of what nobody was measured by', () => {
    assert.deepEqual(tableOf(OUTCOMES, ['perSecond', 'cpuMs', 'rssMiB'], []), [
      ['', 'per second', 'CPU ms each'],
      ['direct', '2000 (1500–2500)', '–'],
      ['fast', '500 (450–700)', '0.500'],
      ['slow', '100 (100–200)', '2.000 (1.500–2.500)'],
      ['broken', 'failed', ''],
    ]);
  });

  it('has ratios of each round, not of the medians', () => {
    const [titles, , fast] = tableOf(OUTCOMES, ['perSecond'], [{ measure: 'perSecond', to: 'slow' }]);
    assert.equal(titles?.[2], 'per second / slow');
    assert.equal(fast?.[2], '4.00 (3.50–4.50)');
  });

  it('has no ratio to somebody who is not there, or has failed', () => {
    const ratios = ['absent', 'broken'].map((to) => ({ measure: 'perSecond', to }) as const);
    assert.deepEqual(tableOf(OUTCOMES, ['perSecond'], ratios)[0], ['', 'per second']);
  });

  it('is written for a console and for a page', () => {
    const table = [
      ['', 'ms'],
      ['one', '1'],
      ['three', '333'],
    ];
    assert.equal(asText(table), '        ms\none      1\nthree  333');
    assert.equal(asMarkdown(table), '|  | ms |\n| --- | ---: |\n| one | 1 |\n| three | 333 |');
  });
});
