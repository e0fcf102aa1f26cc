import { appendFileSync } from 'node:fs';
import { appendFile, rename, stat, truncate } from 'node:fs/promises';
import path from 'node:path';
import { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LogFileSettings {
  readonly file: string;
  /** Before it would become larger, it is put aside. */
  readonly limitBytes: number;
  /** How many there are at most, those put aside included. */
  readonly filesKept: number;
  /** Called when it cannot be written, until it can be again. */
  failing(error: unknown): void;
  recovered(): void;
}

/** A file that cannot be written is tried again so often; what comes in between is not kept. */
const RETRY_PAUSE_MS = 2_000;

/** What comes so soon behind other lines is written together: to open and close a file takes as long as many lines. */
const GATHER_MS = 20;

/**
 * A file that grows line by line, for its owner only. Put aside, `x.log` becomes `x1.log`, and that `x2.log`. It never
 * fails as a stream: winston's own file transport keeps a failure to itself, holds back all that follows, and the
 * console with it.
 */
export class LogFile extends Writable {
  readonly #settings: LogFileSettings;
  #sizeBytes: number | undefined;
  #failedMs: number | undefined;

  constructor(settings: LogFileSettings) {
    super({ decodeStrings: true });
    this.#settings = settings;
    try {
      appendFileSync(settings.file, '', { mode: 0o600 });
    } catch (error) {
      this.#fail(error);
    }
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    void this.#take(chunk).then(done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: () => void): void {
    void this.#take(Buffer.concat(chunks.map(({ chunk }) => chunk))).then(done);
  }

  async #take(lines: Buffer): Promise<void> {
    await this.#append(lines);
    await sleep(GATHER_MS);
  }

  async #append(lines: Buffer): Promise<void> {
    const { file, limitBytes, recovered } = this.#settings;
    const failedMs = this.#failedMs;
    if (failedMs !== undefined && performance.now() - failedMs < RETRY_PAUSE_MS) return;
    try {
      let size = this.#sizeBytes ?? (await sizeOf(file));
      if (size > 0 && size + lines.length > limitBytes) {
        await this.#putAside();
        size = 0;
      }
      this.#sizeBytes = size;
      await appendFile(file, lines, { mode: 0o600 });
      this.#sizeBytes = size + lines.length;
      this.#failedMs = undefined;
      if (failedMs !== undefined) recovered();
    } catch (error) {
      // A disk that is full may have taken half a line.
      if (this.#sizeBytes !== undefined) await truncate(file, this.#sizeBytes).catch(() => {});
      this.#sizeBytes = undefined;
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    const isNews = this.#failedMs === undefined;
    this.#failedMs = performance.now();
    if (isNews) this.#settings.failing(error);
  }

  async #putAside(): Promise<void> {
    const { file, filesKept } = this.#settings;
    const { dir, name, ext } = path.parse(file);
    const numbered = (number: number) => path.join(dir, `${name}${number === 0 ? '' : number}${ext}`);
    for (let number = filesKept - 1; number > 0; number--) {
      // Not all of them are there yet.
      await rename(numbered(number - 1), numbered(number)).catch((error) => {
        if (number === 1) throw error;
      });
    }
  }
}

async function sizeOf(file: string): Promise<number> {
  try {
    const stats = await stat(file);
    return stats.isFile() ? stats.size : 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
