// Adds a note to the end of each chat's answer while it streams through: how to edit a stream of events.
// Run it: npx insight-dump -s docs/examples/transform-stream.ts --set 'transform-stream.note= (Check it!)'
import { defineAddon, type Flow } from 'insight-dump';
import { z } from 'zod';

const note = z.string().default('\n\n*Came through insight-dump.*').describe('what is added to answers, as Markdown');

export default defineAddon({
  name: 'transform-stream',
  options: z.object({ note }),

  requestHeaders(flow) {
    // Compressed bytes cannot be edited on their way.
    if (isRead(flow)) flow.request.headers.set('accept-encoding', 'identity');
  },

  responseHeaders(flow, { options }) {
    if (!isRead(flow) || flow.response.headers.has('content-encoding')) return;
    const decoder = new TextDecoder('utf-8', { ignoreBOM: true });
    let rest = '';
    flow.response.transform((chunk, last) => {
      // A chunk may end within a line, and within a letter.
      const text = rest + decoder.decode(chunk, { stream: !last });
      const end = last ? text.length : 1 + Math.max(text.lastIndexOf('\n'), text.lastIndexOf('\r'));
      rest = text.slice(end);
      return text.slice(0, end).replace(/^data:[^\r\n]*"stop"[^\r\n]*/gm, (data) => annotate(data, options.note));
    });
  },
});

/** Chats that a person reads; editors ask in the background too, for titles and commit messages. */
const isRead = ({ request: { path, headers } }: Flow) =>
  path.startsWith('/chat/completions') && /^conversation-(panel|agent)$/.test(`${headers.get('x-interaction-type')}`);

/** Adds the note where an event ends an answer. */
function annotate(data: string, note: string): string {
  try {
    const event = JSON.parse(data.slice('data:'.length));
    for (const choice of event.choices)
      if (choice.finish_reason === 'stop') choice.delta.content = (choice.delta.content ?? '') + note;
    return `data: ${JSON.stringify(event)}`;
  } catch {
    return data;
  }
}
