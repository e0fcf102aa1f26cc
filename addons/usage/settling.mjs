/** Waits until what was written before is on the disk. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import path from 'node:path';

/** So many are written one by one in no time, most of them by the system already. All of a disk may be much of others'. */
const FEW = 256;

/**
 * Has the system write all that it has of some files: few of them one by one, and many at once, by coreutils' `sync -f`,
 * which is one `syncfs(2)` for a file system, where there is such a command, and it does not fail. Files that are gone
 * are passed over.
 *
 * @param {readonly string[]} files
 * @throws when it is not certain that they are on the disk
 */
export async function settle(files) {
  const isMany = files.length > FEW && process.platform === 'linux';
  if (isMany && (await syncFileSystems(onePerDisk(files.map(path.dirname))))) return;
  for (const file of files) {
    try {
      const handle = await open(file, 'r+');
      await handle.datasync().finally(() => handle.close());
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
}

/** @param {readonly string[]} folders */
function onePerDisk(folders) {
  const disks = new Map();
  for (const folder of new Set(folders)) {
    try {
      disks.set(statSync(folder).dev, folder);
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return [...disks.values()];
}

/**
 * Whether somebody has deleted a file, or what is above it.
 *
 * @param {unknown} error
 */
function isGone(error) {
  const { code } = /** @type {NodeJS.ErrnoException} */ (error);
  return code === 'ENOENT' || code === 'ENOTDIR';
}

/**
 * @param {string[]} folders
 * @returns whether it is done
 */
async function syncFileSystems(folders) {
  if (folders.length === 0) return true;
  try {
    // In a group of its own, a Ctrl-C is not for it as well.
    const child = spawn('sync', ['-f', ...folders], { stdio: 'ignore', detached: true });
    const [code] = await once(child, 'exit');
    return code === 0;
  } catch {
    return false;
  }
}
