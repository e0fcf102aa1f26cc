/** No proxy of a company has more clients at once than this. */
const MAX_CONNECTIONS = 10_000;
/** Even where few files may be open. */
const MIN_CONNECTIONS = 16;
/** For all that is no connection: logs, records, scripts, libraries. */
const RESERVED_FILES = 64;

/**
 * How many clients may be connected: each has a connection to a server too, and both are open files, of which the
 * system allows a process only so many. Beyond that it would cut off new clients without a word.
 */
export function connectionLimit(openFiles = openFilesLimit()): number {
  const pairs = Math.floor((openFiles - RESERVED_FILES) / 2);
  return Math.max(MIN_CONNECTIONS, Math.min(MAX_CONNECTIONS, pairs));
}

function openFilesLimit(): number {
  const { userLimits } = process.report.getReport() as { userLimits?: { open_files?: { soft?: number | string } } };
  const soft = userLimits?.open_files?.soft;
  return typeof soft === 'number' ? soft : Number.POSITIVE_INFINITY;
}
