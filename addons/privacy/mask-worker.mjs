/**
 * Masks what was said in a thread of its own: a long text may take a while. It is JavaScript, because a thread begins
 * with a file that Node can run, whatever has compiled the addon.
 */
import { parentPort, workerData } from 'node:worker_threads';
import { maskEvents, maskJson } from './mask-json.mjs';
import { secretFinder } from './secret-finder.mjs';

const find = secretFinder(workerData.patterns);

parentPort?.on('message', (/** @type {{ request: unknown, response: unknown, prompt: string }} */ all) => {
  const { response, ...said } = all;
  try {
    const asked = textEndingWith(said.request, said.prompt);
    if (Array.isArray(response)) maskEvents(response, find);
    const masked = maskJson({ ...said, response: Array.isArray(response) ? undefined : response }, find);
    if (Array.isArray(response)) masked.response = response;
    // The end of a long text may begin in the middle of a secret, where nothing tells that it is one.
    if (asked !== undefined) masked.prompt = maskJson(asked, find).slice(-said.prompt.length);
    parentPort?.postMessage({ said: masked });
  } catch (error) {
    parentPort?.postMessage({ error: String(error) });
  }
});

/**
 * @param {unknown} value
 * @param {string} end
 * @returns {string | undefined} the text that it is the end of, if there is one that is longer
 */
function textEndingWith(value, end) {
  if (typeof value === 'string')
    return value.length > end.length && end !== '' && value.endsWith(end) ? value : undefined;
  if (typeof value !== 'object' || value === null) return undefined;
  for (const each of Object.values(value)) {
    const found = textEndingWith(each, end);
    if (found !== undefined) return found;
  }
  return undefined;
}
