// Changes what is asked: the temperature of each chat, and its model if you name one.
// Run it: npx insight-dump -s docs/examples/rewrite-body.ts --set rewrite-body.temperature=0.2
import { isUtf8 } from 'node:buffer';
import { type Body, defineAddon, type Flow } from 'insight-dump';
import { z } from 'zod';

const options = z.object({
  temperature: z.number().min(0).max(2).default(0).describe('temperature of chats; those that name none stay without'),
  model: z.string().min(1).optional().describe('model of chats; the one that was asked for when it is not given'),
});

export default defineAddon({
  name: 'rewrite-body',
  options,

  requestHeaders(flow) {
    if (isChat(flow)) flow.request.buffer();
  },

  request(flow, { options: { temperature, model } }) {
    const chat = isChat(flow) ? chatIn(flow.request.body) : undefined;
    if (chat === undefined) return;
    // Models that think first take no temperature: where a client leaves it out, it has to stay out.
    const changes = { ...(model !== undefined && { model }), ...('temperature' in chat && { temperature }) };
    if (Object.keys(changes).length > 0) flow.request.body.set(JSON.stringify({ ...chat, ...changes }));
  },
});

function isChat({ request }: Flow): boolean {
  return request.method === 'POST' && /\/chat\/completions(\?|$)/.test(request.path);
}

/** What the body asks; undefined where it is no chat, or cannot be read without a loss. */
function chatIn(body: Body): Record<string, unknown> | undefined {
  try {
    const chat = isUtf8(body.bytes()) ? (body.json() as Record<string, unknown> | null) : null;
    return Array.isArray(chat?.messages) ? chat : undefined;
  } catch {
    return undefined;
  }
}
