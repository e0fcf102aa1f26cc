import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BUDGETS, type Results } from './budgets.ts';
import { allAddons } from './contestants.ts';
import { GATES, tryGates } from './gates.ts';
import type { MeasureName } from './measures.ts';
import { SCENES } from './scenes.ts';

const measured = (work: string, measure: MeasureName, values: Readonly<Record<string, number>>): Results =>
  new Map([
    [work, new Map(Object.entries(values).map(([name, value]) => [name, { samples: [{ [measure]: value }] }]))],
  ]);
const judge = (what: RegExp, results: Results) => BUDGETS.find((budget) => what.test(budget.what))?.judge(results);

describe('a budget', () => {
  it('is met by a multiple of another, and missed below it', () => {
    const at = (ours: number) =>
      judge(
        /^Requests.*JSON, HTTP\/2/,
        measured('all/json-h2-16', 'perSecond', { [allAddons.name]: ours, mitmdump: 100 }),
      );
    assert.deepEqual(at(400), { measured: '4.00 ×', isMet: true });
    assert.deepEqual(at(399), { measured: '3.99 ×', isMet: false });
  });

  it('counts from what it is without a proxy', () => {
    const at = (ours: number) =>
      judge(/^First byte/, measured('all/paced', 'firstByteMs', { [allAddons.name]: ours, direct: 10 }));
    assert.deepEqual(at(15), { measured: 'direct + 5.00 ms', isMet: true });
    assert.deepEqual(at(15.1), { measured: 'direct + 5.10 ms', isMet: false });
  });

  it('is neither met nor missed where it was not measured', () => {
    assert.equal(judge(/^First byte/, new Map()), undefined);
    assert.equal(judge(/^First byte/, measured('all/paced', 'firstByteMs', { [allAddons.name]: 1 })), undefined);
  });

  it('is about works and contestants that there are', () => {
    const everything = new Map(
      SCENES.flatMap((scene) =>
        scene.works.map(({ name, measures }) => {
          const sample = Object.fromEntries(measures.map((measure) => [measure, 1]));
          const outcomes = scene.contestants.map((each) => [each.name, { samples: [sample] }] as const);
          return [`${scene.name}/${name}`, new Map(outcomes)] as const;
        }),
      ),
    );
    for (const budget of BUDGETS) assert.ok(budget.judge(everything), budget.what);
    assert.deepEqual(
      tryGates(everything).map(({ isOpen }) => isOpen),
      GATES.map(() => true),
    );
  });
});

describe('the gates of a quick run', () => {
  const [gate] = GATES;
  const stand = (times: number) => {
    assert.ok(gate);
    const { work, measure, contestant, to, usual } = gate;
    return tryGates(measured(`all/${work}`, measure, { [contestant]: times * usual, [to]: 1 }))[0];
  };

  it('are open at what is usual, and at several times as much', () => {
    assert.equal(stand(1)?.isOpen, true);
    assert.equal(stand(9.9)?.isOpen, true);
  });

  it('are shut at more than ten times as much, and say so', () => {
    const { said, isOpen } = stand(10.1) ?? {};
    assert.equal(isOpen, false);
    assert.match(String(said), /is 40\.4 × that of minimal; 4 is usual, 40 too much/);
  });

  it('are shut where there is nothing to go by', () => {
    assert.deepEqual(
      tryGates(new Map()).map(({ isOpen }) => isOpen),
      GATES.map(() => false),
    );
  });
});
