import { randomUUID } from 'node:crypto';
import { link, open, realpath, rename, rm, stat } from 'node:fs/promises';

/**
 * Writes a file whole or not at all, whatever happens meanwhile: beside its place first, and into it once all is on the
 * disk. On a disk that is full, `write(2)` takes what there is room for and does not fail; so it is asked until it has
 * taken everything, or says that it cannot.
 *
 * @param mode of the file, whatever the umask; that of what is there if it is not given
 * @param isSynced it is to survive a loss of power, too
 * @param isNew nothing is replaced: where there is a file, that is an error with the code `EEXIST`
 * @throws the system's error; what was there before is there still
 */
export async function writeWholeFile(
  file: string,
  content: string | Uint8Array,
  { mode: wanted, isSynced = true, isNew = false }: { mode?: number; isSynced?: boolean; isNew?: boolean } = {},
): Promise<void> {
  // A link stays one, and what it leads to is replaced.
  const place = await realpath(file).catch(() => file);
  const mode = wanted ?? (await stat(place)).mode & PERMISSIONS;
  const beside = `${place}.${randomUUID()}.tmp`;
  try {
    const handle = await open(beside, 'wx', mode);
    try {
      await handle.chmod(mode);
      await handle.writeFile(content);
      if (isSynced) await handle.sync();
    } finally {
      await handle.close();
    }
    // Of several processes, one comes first.
    if (isNew) {
      await link(beside, place);
      await rm(beside);
    } else await rename(beside, place);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

/** What of a mode says who may do what. */
const PERMISSIONS = 0o777;
