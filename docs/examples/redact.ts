// Takes secrets out of requests before they leave: tokens and keys, or what patterns of your own match. In
// addons.config.ts, list it with `required: true`: then nothing passes while it is broken.
// Run it: npx insight-dump -s docs/examples/redact.ts --set 'redact.patterns=hunter\d'
import { isUtf8 } from 'node:buffer';
import { defineAddon } from 'insight-dump';
import { z } from 'zod';

const SECRETS = [
  'gh[pousr]_\\w{36,255}|github_pat_\\w{22,255}',
  '(?:AKIA|ASIA)[A-Z0-9]{16}(?!\\w)',
  // Editors cut what they send: a key without an end goes on to the end of the text.
  '-----BEGIN [A-Z ]*PRIVATE KEY-----[^]*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)',
];

export default defineAddon({
  name: 'redact',
  options: z.object({ patterns: z.array(z.string()).default(SECRETS).describe('regular expressions of secrets') }),
  // What is no regular expression is refused before it is in force.
  configure: ({ options }) => void options.patterns.map((pattern) => new RegExp(pattern)),
  // What is too large to be held back is refused by the proxy.
  requestHeaders: (flow) => flow.request.buffer(),
  request(flow, { options, log }) {
    let count = 0;
    const hide = (secret: string) => secret && `[redacted ${++count}]`;
    const patterns = options.patterns.map((pattern) => new RegExp(pattern, 'g'));
    const mask = (text: string) => patterns.reduce((rest, pattern) => rest.replace(pattern, hide), text);
    const bytes = Buffer.from(flow.request.body.bytes());
    // What unpacks to more than can be read does not go out unread.
    if (flow.request.body.truncated) flow.kill();
    // What is no UTF-8 is read as Latin-1: so all of its other bytes stay as they are.
    const clean = isUtf8(bytes) ? maskText(`${bytes}`, mask) : Buffer.from(mask(bytes.toString('latin1')), 'latin1');
    if (count === 0) return;
    flow.request.body.set(clean);
    log.info(`🙈 secrets taken out of a request to ${flow.request.host}: ${count}`);
  },
});

/** In JSON, each string is read by itself: a pattern sees its line breaks as such, and cannot reach over its end. */
function maskText(text: string, mask: (text: string) => string): string {
  try {
    return JSON.stringify(JSON.parse(text, (_key, value) => (typeof value === 'string' ? mask(value) : value)));
  } catch {
    return mask(text);
  }
}
