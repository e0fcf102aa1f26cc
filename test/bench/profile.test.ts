import assert from 'node:assert/strict';
import { it } from 'node:test';
import { topOf } from './profile.ts';

it('a profile is told by the time that functions took themselves, of the time that was not idle', () => {
  const node = (id: number, functionName: string, url = '') => ({
    id,
    callFrame: { functionName, url, lineNumber: 9 },
  });
  const table = topOf({
    nodes: [
      node(1, '(idle)'),
      node(5, 'dispatch'),
      node(2, 'relay', 'file:///a/dist/cli.js'),
      node(3, ''),
      node(4, 'relay', 'file:///a/dist/cli.js'),
    ],
    samples: [1, 5, 2, 3, 4],
    timeDeltas: [5_000, 3_000, 200, 200, 400],
  });
  assert.deepEqual(table, [
    ['', '% of busy time'],
    ['relay cli.js:10', '75.0'],
    ['(anonymous)', '25.0'],
  ]);
});
