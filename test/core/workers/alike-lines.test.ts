import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LogLine } from '../../../core/log.ts';
import { AlikeLines } from '../../../core/workers/alike-lines.ts';

describe('lines that several workers say', () => {
  const line = (message: string, parts: Partial<LogLine> = {}): LogLine => ({
    ...{ level: 'info', addon: undefined, of: undefined, message, detail: undefined },
    ...parts,
  });
  const shownOf = (...said: readonly (readonly [worker: number, line: LogLine])[]) => {
    const alike = new AlikeLines();
    return said.map(([worker, each]) => alike.isNews(worker, each));
  };

  it('are shown once if they are alike, and again when one of them says it again', () => {
    const one = line('applied');
    assert.deepEqual(shownOf([1, one], [2, one], [2, one], [1, one], [3, one]), [true, false, true, false, false]);
  });

  it('are others if they are of another level, addon or text', () => {
    const all = [line('a'), line('b'), line('a', { level: 'warn' }), line('a', { addon: 'auth' })];
    assert.deepEqual(shownOf(...all.map((each, i) => [i, each] as const)), [true, true, true, true]);
  });

  it('are all shown if they are of flows', () => {
    const one = line('GET / 200', { of: 'flow' });
    assert.deepEqual(shownOf([1, one], [2, one]), [true, true]);
  });

  it('are news again after some time', (t) => {
    const now = performance.now();
    const clock = t.mock.method(performance, 'now', () => now);
    const alike = new AlikeLines();
    assert.equal(alike.isNews(1, line('a')), true);
    clock.mock.mockImplementation(() => now + 11_000);
    assert.equal(alike.isNews(2, line('a')), true);
  });
});
