/**
 * Telemetry as Copilot's clients send it: envelopes of Azure Monitor's Application Insights,
 * `{name, time, data: {baseData: {name, properties, measurements}}}`, in a JSON array or one on each line.
 * https://learn.microsoft.com/azure/azure-monitor/app/data-model-complete
 */
import type { Acceptance } from '../addon.ts';
import { at, countAt, parseJson, textAt } from './json.ts';

/** What became of suggestions in one language. */
export type SuggestionCounts = Pick<
  Acceptance,
  'language' | 'shown' | 'accepted' | 'rejected' | 'acceptedLines' | 'acceptedCharacters'
>;

/** An event without anything that could be text. */
export interface BareEvent {
  readonly name: string;
  readonly measurements: Readonly<Record<string, number>>;
}

/** Clients send some dozens at once. */
const MAX_EVENTS = 10_000;
const MAX_MEASUREMENTS = 100;
const MAX_LANGUAGES = 50;
/** Far more than a suggestion has. */
const MAX_LINES = 10_000;
const MAX_CHARACTERS = 1_000_000;

/** The envelopes in a body: its JSON, or its text where it is none as a whole. */
export function envelopesIn(content: unknown): readonly unknown[] {
  if (Array.isArray(content)) return content.slice(0, MAX_EVENTS);
  if (typeof content !== 'string') return [content];
  return content.split('\n', MAX_EVENTS).map(parseJson);
}

/** Name and numbers of an event. */
export function bareEvent(envelope: unknown): BareEvent {
  const numbers = Object.entries(Object(at(envelope, 'data', 'baseData', 'measurements')))
    .filter((entry): entry is [string, number] => NUMBER_NAME.test(entry[0]) && Number.isFinite(entry[1]))
    .slice(0, MAX_MEASUREMENTS);
  const name = nameOf(envelope);
  return { name: EVENT_NAME.test(name) ? name : 'unknown', measurements: Object.fromEntries(numbers) };
}

const EVENT_NAME = /^[\w.-]{1,40}(\/[\w.-]{1,80})?$/;
const NUMBER_NAME = /^[\w.]{1,64}$/;

/** `copilot/ghostText.shown` of the editor, `agent/ghostText.shown` of the language server. */
const SUGGESTION = /^(?:[\w.-]{1,40}\/)?ghostText\.(shown|shownFromCache|accepted|rejected)$/;
const BECAME = { shown: 'shown', shownFromCache: 'shown', accepted: 'accepted', rejected: 'rejected' } as const;

/** As in `python`, `objective-cpp` or `c#`: https://code.visualstudio.com/docs/languages/identifiers */
const LANGUAGE = /^[a-z][\w+#.-]{0,31}$/i;

/** Counts what became of suggestions, by language. */
export function countSuggestions(envelopes: readonly unknown[]): SuggestionCounts[] {
  const counts = new Map<string, Writable<SuggestionCounts>>();
  for (const envelope of envelopes) {
    const [, event] = SUGGESTION.exec(nameOf(envelope)) ?? [];
    const became = BECAME[event as keyof typeof BECAME] as (typeof BECAME)[keyof typeof BECAME] | undefined;
    if (became === undefined || isPart(envelope)) continue;
    const mine = countsFor(languageOf(envelope), counts);
    mine[became] += 1;
    if (became !== 'accepted') continue;
    mine.acceptedLines += measured(envelope, 'numLines', MAX_LINES);
    mine.acceptedCharacters += measured(envelope, 'compCharLen', MAX_CHARACTERS);
  }
  return [...counts.values()];
}

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

function countsFor(told: string, counts: Map<string, Writable<SuggestionCounts>>): Writable<SuggestionCounts> {
  const language = counts.has(told) || counts.size < MAX_LANGUAGES ? told : 'unknown';
  const mine = counts.get(language) ?? {
    language,
    shown: 0,
    accepted: 0,
    rejected: 0,
    acceptedLines: 0,
    acceptedCharacters: 0,
  };
  counts.set(language, mine);
  return mine;
}

/**
 * What is accepted word by word is told of at each word, with all that has been accepted so far (`compType` is
 * `partial`): only the whole counts.
 */
function isPart(envelope: unknown): boolean {
  return textAt(envelope, 'data', 'baseData', 'properties', 'compType') === 'partial';
}

function nameOf(envelope: unknown): string {
  return textAt(envelope, 'data', 'baseData', 'name') ?? textAt(envelope, 'name') ?? '';
}

function languageOf(envelope: unknown): string {
  const told = textAt(envelope, 'data', 'baseData', 'properties', 'languageId');
  return told !== undefined && LANGUAGE.test(told) ? told : 'unknown';
}

function measured(envelope: unknown, measurement: string, max: number): number {
  return Math.min(Math.floor(countAt(envelope, 'data', 'baseData', 'measurements', measurement) ?? 0), max);
}
