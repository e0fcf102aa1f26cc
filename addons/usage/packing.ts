import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm, stat, unlink } from 'node:fs/promises';
import path from 'node:path';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { messageOf, recordFiles } from 'insight-dump';
import type { UsageContext } from './context.ts';

/** Packs the files of lines whose day was over by then, of those that this worker writes to. @throws when a folder cannot be read */
export async function packDays(overByMs: number, { paths, state, signal, log, worker }: UsageContext): Promise<void> {
  for await (const { format, isGzipped, isPartial, part, untilMs, path: file } of recordFiles(paths.logs)) {
    if (signal.aborted) return;
    if (part % worker.count !== worker.number - 1) continue;
    if (format !== 'ndjson' || isGzipped || isPartial || untilMs > overByMs) continue;
    state.packing = file;
    try {
      await pack(file, signal);
    } catch (error) {
      if (!signal.aborted) log.warn(`${path.relative('', file)} stays unpacked: ${messageOf(error)}`, error);
    } finally {
      state.packing = undefined;
    }
  }
}

/** The packed file is there as a whole before the other goes. @throws when it cannot be; all is as it was */
async function pack(file: string, signal: AbortSignal): Promise<void> {
  const { size } = await stat(file);
  const partial = `${file}.gz.${process.pid}`;
  try {
    await pipeline(createReadStream(file), createGzip(), createWriteStream(partial, { mode: 0o600, flush: true }), {
      signal,
    });
    if ((await stat(file)).size !== size) throw new Error('it was written to meanwhile');
    await rename(partial, `${file}.gz`);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
  await unlink(file);
}
