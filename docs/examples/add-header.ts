// Adds a header to each answer: a sign that traffic goes through here. Or to each request, for the server to see.
// Run it: npx insight-dump -s docs/examples/add-header.ts --set add-header.name=x-team --set add-header.value=red
import { defineAddon } from 'insight-dump';
import { z } from 'zod';

const options = z.object({
  to: z.enum(['response', 'request']).default('response').describe('what the header is added to'),
  // What cannot be sent is refused here, once, instead of failing with each flow.
  name: z
    .string()
    .regex(/^[\w!#$%&'*+.^`|~-]+$/, 'not a name for a header')
    .default('x-seen-by')
    .describe('name of the header; one that is there already is replaced'),
  value: z
    .string()
    .regex(/^[\t\x20-\x7e\x80-\xff]*$/, 'a header holds one line of Latin-1 text')
    .default('insight-dump')
    .describe('its value'),
});

export default defineAddon({
  name: 'add-header',
  options,

  requestHeaders(flow, { options: { to, name, value } }) {
    if (to === 'request') flow.request.headers.set(name, value);
  },

  responseHeaders(flow, { options: { to, name, value } }) {
    if (to === 'response') flow.response.headers.set(name, value);
  },
});
