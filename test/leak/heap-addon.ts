/** Answers `/heap` with what memory is used once all garbage is gone. */
export const HEAP_ADDON = `
  import { setFlagsFromString } from 'node:v8';
  import { runInNewContext } from 'node:vm';
  setFlagsFromString('--expose-gc');
  const gc = runInNewContext('gc');
  export function requestHeaders(flow) {
    if (flow.request.path !== '/heap') return;
    gc();
    flow.respond({ status: 200, body: JSON.stringify(process.memoryUsage()) });
  }`;
