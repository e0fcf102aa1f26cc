import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { bareEvent, countSuggestions, envelopesIn } from '../../../core/copilot/telemetry.ts';
import { envelope, PLANTED, suggestion, WITH_TEXT } from '../../telemetry.ts';

const NONE = { shown: 0, accepted: 0, rejected: 0, acceptedLines: 0, acceptedCharacters: 0 };

describe('what became of suggestions', () => {
  it('is counted by language', () => {
    const events = [
      ...['shown', 'shown', 'shownFromCache', 'accepted', 'rejected'].map((event) => suggestion(event, 'python')),
      suggestion('shown', 'c#'),
    ];
    assert.deepEqual(countSuggestions(events), [
      { language: 'python', shown: 3, accepted: 1, rejected: 1, acceptedLines: 2, acceptedCharacters: 40 },
      { ...NONE, language: 'c#', shown: 1 },
    ]);
  });

  it('is read in the names that each client gives it, and in no other', () => {
    for (const name of ['ghostText.shown', 'copilot/ghostText.shown', 'GitHub.copilot-chat/ghostText.shown'])
      assert.equal(countSuggestions([envelope({ name })])[0]?.shown, 1, name);
    const others = ['agent/ghostText.shownX', 'agent/ghostText.issued', 'a/b/ghostText.shown', 'ghostText.shown '];
    assert.deepEqual(countSuggestions(others.map((name) => envelope({ name }))), []);
    assert.equal(countSuggestions([{ name: 'ghostText.shown' }])[0]?.shown, 1);
  });

  it('counts what is accepted word by word once, when it is whole', () => {
    const parts = ['partial', 'partial', 'full'].map((compType) => suggestion('accepted', 'go', { compType }));
    assert.deepEqual(countSuggestions(parts), [
      { ...NONE, language: 'go', accepted: 1, acceptedLines: 2, acceptedCharacters: 40 },
    ]);
  });

  it('takes no text for a language', () => {
    for (const languageId of [PLANTED, 'x'.repeat(33), '__proto__', '', 5, null, { a: 1 }, 'a\nb'])
      assert.equal(countSuggestions([suggestion('shown', languageId as string)])[0]?.language, 'unknown');
    const many = Array.from({ length: 500 }, (_, i) => suggestion('shown', `l${i}`));
    const counts = countSuggestions(many);
    assert.equal(counts.length, 51);
    assert.equal(
      counts.reduce((sum, { shown }) => sum + shown, 0),
      500,
    );
  });

  it('takes numbers as far as they can be true', () => {
    const accepted = (numLines: unknown, compCharLen: unknown) =>
      countSuggestions([envelope({ name: 'agent/ghostText.accepted', measurements: { numLines, compCharLen } })])[0];
    assert.deepEqual(accepted(1e12, 1e300), {
      ...NONE,
      language: 'unknown',
      accepted: 1,
      acceptedLines: 10_000,
      acceptedCharacters: 0,
    });
    for (const nonsense of ['5', -1, null, Number.NaN, {}, [7]]) {
      const counts = accepted(nonsense, nonsense);
      assert.deepEqual([counts?.acceptedLines, counts?.acceptedCharacters], [0, 0]);
    }
    assert.equal(accepted(2.9, 0)?.acceptedLines, 2);
  });

  it('is nothing in what is no telemetry', () => {
    for (const content of [undefined, null, 5, 'text', '', {}, [], [null, 5, [], 'x'], { data: { baseData: [] } }])
      assert.deepEqual(countSuggestions(envelopesIn(content)), []);
  });
});

describe('envelopes', () => {
  it('are read from an array, one by one, and line by line, whatever lies between', () => {
    const event = suggestion('shown', 'python');
    assert.equal(envelopesIn([event, event]).length, 2);
    assert.equal(envelopesIn(event).length, 1);
    const lines = `${JSON.stringify(event)}\r\n{"torn": \n\n${JSON.stringify(event)}\n`;
    assert.equal(countSuggestions(envelopesIn(lines))[0]?.shown, 2);
  });

  it('are bounded in number', () => {
    assert.equal(envelopesIn(Array.from({ length: 50_000 })).length, 10_000);
    assert.equal(envelopesIn('{}\n'.repeat(50_000)).length, 10_000);
  });
});

describe('a bare event', () => {
  it('has a name and numbers, and nothing that could be text', () => {
    assert.deepEqual(bareEvent(WITH_TEXT), { name: 'agent/request.sent', measurements: { promptCharLen: 2_000 } });
    for (const name of [PLANTED, `${PLANTED}/x`, 'x'.repeat(200), ''])
      assert.equal(bareEvent(envelope({ name })).name, 'unknown');
    const measurements = { a: 'text', b: Number.POSITIVE_INFINITY, c: 1, d: null };
    assert.deepEqual(bareEvent(envelope({ name: 'x', measurements })).measurements, { c: 1 });
  });

  it('keeps the names that the real language server sends', () => {
    const file = path.join(import.meta.dirname, '../../fixtures/captures/17-post-telemetry-telemetry.json');
    const { body } = JSON.parse(readFileSync(file, 'utf8')) as { body: { events: string[] } };
    const events = body.events.map((name) => envelope({ name }));
    assert.deepEqual(
      events.map((event) => bareEvent(event).name),
      body.events,
    );
    assert.deepEqual(countSuggestions(events), [{ ...NONE, language: 'unknown', shown: 1 }]);
  });
});
