/** Addons that show in every answer which version of them is in force. */

import { eventually } from './proxy-process.ts';
import type { Traffic } from './traffic.ts';

/** Far more than a save takes until it is in force, also on a machine that has much else to do. */
const LIVE_LIMIT_MS = 5_000;

/** An addon that adds `x-tag: <tag>`; `more` are further members of it. */
export const tagging = (tag: string, more = '') => `
  import { defineAddon } from 'insight-dump';
  export default defineAddon({
    responseHeaders(flow) { flow.response.headers.append('x-tag', ${JSON.stringify(tag)}); },
    ${more}
  });
`;

/** The same with a tag that is imported. */
export const taggingFrom = (specifier: string) => `
  import { defineAddon } from 'insight-dump';
  import { tag } from '${specifier}';
  export default defineAddon({ responseHeaders(flow) { flow.response.headers.append('x-tag', tag); } });
`;

/** Lets in alice, then runs these: a list as it stands in the config. */
export const configOf = (addons: string, more = '') => `export default {
  addons: ['addons/auth.ts', ${addons}], options: { auth: { users: ['alice'] } }, flowDetail: 0, ${more}
};`;

/** Waits until answers are tagged so. */
export async function becomesLive(traffic: Traffic, tag: string, limitMs = LIVE_LIMIT_MS): Promise<void> {
  let last = '';
  const what = () => `tag ${tag}; it is ${last}`;
  const look = async () => {
    last = await traffic.tag();
    return last === tag;
  };
  await eventually(what, look, limitMs);
}
