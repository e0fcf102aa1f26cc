import { once } from 'node:events';
import path from 'node:path';
import pc from 'picocolors';
import winston from 'winston';
import type { Log } from './addon.ts';
import { messageOf } from './errors.ts';
import { LogFile } from './log-file.ts';
import { redact } from './redact.ts';
import { describePath } from './stack.ts';
import { withTimeLimit } from './time-limit.ts';

/** Makes logs that name their addon; without a name, the proxy's own. */
export interface ChildLog {
  /** @param of what its lines are about: a flow each, or, if it is not said, anything else */
  child(addon?: string, of?: 'flow'): Log;
}

/** What was said, as plain data, without credentials. */
export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly addon: string | undefined;
  readonly of: 'flow' | undefined;
  readonly message: string;
  readonly detail: unknown;
}

/** A log that hands on what is said. */
export function logTo(write: (line: LogLine) => void, ...[addon, of]: Parameters<ChildLog['child']>): Log {
  const say = (level: LogLine['level']) => (message: string, detail?: unknown) =>
    write({ level, addon, of, message: redact(message), detail: describe(detail) });
  return { debug: say('debug'), info: say('info'), warn: say('warn'), error: say('error') };
}

export interface LogSettings {
  /** Folder for `insight-dump.log`; without one, only the console is written to. */
  dir?: string;
  /** The least important level that the console shows. */
  level: 'error' | 'info' | 'debug';
  color: boolean;
}

const FILE_NAME = 'insight-dump.log';
const FILE_LIMIT_BYTES = 10 * 1024 * 1024;
const FILES_KEPT = 5;
/** How long the end waits for what has not been written yet. */
const FLUSH_LIMIT_MS = 2_000;

/** The console, in one clear line an event; and the same as JSON in a file that is rotated by size. */
export class Logs implements ChildLog {
  readonly #logger: winston.Logger;
  readonly #file: LogFile | undefined;

  constructor({ dir, level, color }: LogSettings) {
    const console = new winston.transports.Console({
      level,
      format: winston.format.combine(
        winston.format((info) => info.isShown === true && info)(),
        winston.format.printf((info) => line(info, color)),
      ),
    });
    this.#logger = winston.createLogger({ level: 'debug', transports: [console] });
    // A closed pipe behind stdout must not end the proxy.
    this.#logger.on('error', () => {});
    if (dir !== undefined) this.#file = this.#addFile(path.join(dir, FILE_NAME));
  }

  child(...about: Parameters<ChildLog['child']>): Log {
    return logTo((line) => this.write(line), ...about);
  }

  /** @param from the worker that said it, where there are several; `isShown` says whether the console is to have it */
  write(
    { level, addon, message, detail }: LogLine,
    { worker, isShown }: { readonly worker?: number; readonly isShown: boolean } = { isShown: true },
  ): void {
    this.#logger.log({ level, message, addon, detail, worker, isShown });
  }

  /** Resolves when everything logged so far is in the file. */
  async close(): Promise<void> {
    const ended = once(this.#logger, 'finish');
    this.#logger.end();
    // A disk may hang.
    await withTimeLimit(this.#flushed(ended), FLUSH_LIMIT_MS, () => new Error('not flushed')).catch(() => {});
  }

  async #flushed(ended: Promise<unknown>): Promise<void> {
    await ended;
    const file = this.#file;
    if (file !== undefined) await new Promise<void>((resolve) => file.end(resolve));
  }

  #addFile(filename: string): LogFile {
    const name = describePath(filename);
    const file = new LogFile({
      file: filename,
      limitBytes: FILE_LIMIT_BYTES,
      filesKept: FILES_KEPT,
      failing: (error) => this.child().error(`cannot write ${name}: ${messageOf(error)}; the console has it all`),
      recovered: () => this.child().warn(`${name} is written again; what is missing in it was on the console`),
    });
    this.#logger.add(new winston.transports.Stream({ stream: file, eol: '\n', format: winston.format.printf(json) }));
    return file;
  }
}

type Info = winston.Logform.TransformableInfo;

function line({ level, message, addon }: Info, color: boolean): string {
  const colors = pc.createColors(color);
  const time = colors.dim(new Date().toTimeString().slice(0, 8));
  const source = addon === undefined ? '' : `${colors.dim(`[${String(addon)}]`)} `;
  switch (level) {
    case 'error':
      return `${time} ❌ ${source}${colors.red(String(message))}`;
    case 'warn':
      return `${time} ⚠️  ${source}${colors.yellow(String(message))}`;
    case 'debug':
      return `${time}    ${source}${colors.dim(String(message))}`;
    default:
      return `${time} ${String(message)}`;
  }
}

function json({ level, worker, message, addon, detail }: Info): string {
  return JSON.stringify({ time: new Date().toISOString(), level, worker, addon, message, detail });
}

/** Detail as plain data, without credentials: an Error with its stack and cause, anything else as JSON sees it. */
function describe(detail: unknown): unknown {
  if (detail === undefined) return undefined;
  if (detail instanceof Error) {
    const { name, message, stack, cause } = detail;
    return { name, message: redact(message), stack: redact(stack ?? ''), cause: describe(cause) };
  }
  try {
    return JSON.parse(redact(JSON.stringify(detail)));
  } catch {
    return redact(String(detail));
  }
}
