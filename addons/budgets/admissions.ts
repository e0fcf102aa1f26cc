import { type Flow, putBounded } from 'insight-dump';
import type { Asker, Unit } from './options.ts';
import { keyOf, ownSubject, type Subject } from './tallies.ts';

/** A question of a user's, by which the model and the editor ask more in its turn. */
interface Question {
  /** When a request of it last came while there was budget left. */
  letInMs: number;
  /** Requests of it that were let through since there is none left. */
  over: number;
}

/** What is being answered, and is going to use one of its unit. */
interface Running {
  /** The flow's; undefined on a WebSocket, whose flow ended when it opened. */
  readonly timings: Flow['timings'] | undefined;
  readonly asker: Asker;
  readonly unit: Unit;
}

/** What has been let in. */
export interface Admissions {
  /** By user and interaction; the oldest come first. */
  readonly questions: Map<string, Question>;
  /** By the flow's id. */
  readonly running: Map<string, Running>;
}

const MAX_QUESTIONS = 10_000;
/** An agent may go on with what it began within the budget, for so long and with so many requests. */
const GRACE_MS = 60 * 60 * 1_000;
const MAX_OVER = 100;
/** An exchange is told of soon after its flow has ended. If it is not by then, there was no answer to count. */
const UNTOLD_AFTER_MS = 2_000;
/** From so many on, those are looked for at each that comes. */
const MANY_RUNNING = 256;

export function noAdmissions(): Admissions {
  return { questions: new Map(), running: new Map() };
}

/** What tells a question from others. Without an interaction's id, the last question of a user is meant. */
export function questionKey(user: string, interaction: string | undefined): string {
  return `${user}\n${interaction ?? ''}`;
}

/** Notes that a question came, or went on, while there was budget. */
export function letIn({ questions }: Admissions, key: string): void {
  putBounded(questions, key, { letInMs: Date.now(), over: 0 }, MAX_QUESTIONS);
}

/** Whether what belongs to a question may go on although the budget is used up; counts that it does. */
export function goesOn({ questions }: Admissions, key: string): boolean {
  const question = questions.get(key);
  if (question === undefined || question.over >= MAX_OVER || Date.now() - question.letInMs > GRACE_MS) return false;
  question.over += 1;
  return true;
}

/** Keeps one of the unit for a flow until it has been counted: what runs side by side must not use the last one twice. */
export function reserve({ running }: Admissions, flow: Flow, asker: Asker, unit: Unit): void {
  if (running.size >= MANY_RUNNING) forgetUntold(running);
  running.set(flow.id, { timings: flow.timings, asker, unit });
}

/** The same for a question on a WebSocket: until its answer has been counted, or the WebSocket is closed. */
export function reserveOnSocket({ running }: Admissions, { id }: Flow, asker: Asker): void {
  running.set(id, { timings: undefined, asker, unit: 'turns' });
}

export function settle({ running }: Admissions, flow: Flow): void {
  running.delete(flow.id);
}

/** How many of the unit are going to be counted for a subject. */
export function reserved({ running }: Admissions, unit: Unit, subject: Subject): number {
  const key = keyOf(subject);
  forgetUntold(running);
  return [...running.values()].filter((each) => each.unit === unit && subjectKeys(each.asker).includes(key)).length;
}

function forgetUntold(running: Admissions['running']): void {
  for (const [id, { timings }] of running)
    if (Date.now() - (timings?.end ?? Number.POSITIVE_INFINITY) > UNTOLD_AFTER_MS) running.delete(id);
}

function subjectKeys(asker: Asker): string[] {
  return [keyOf(ownSubject(asker)), ...asker.groups.map((group) => keyOf({ group })), keyOf({ everyone: true })];
}
