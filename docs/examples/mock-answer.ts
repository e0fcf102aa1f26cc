// Answers chats and the list of models by itself: for a demo without a network, or without Copilot.
// Run it: npx insight-dump -s docs/examples/mock-answer.ts --set 'mock-answer.text=Hi there!'
import { type Answer, defineAddon, type Flow } from 'insight-dump';
import { z } from 'zod';

const options = z.object({
  text: z.string().default('Nobody was asked: insight-dump says so itself.').describe('the answer to each chat'),
  model: z.string().default('mock').describe('the only model there is'),
});

export default defineAddon({
  name: 'mock-answer',
  options,

  requestHeaders(flow, { options: { model } }) {
    // Whether a chat wants a stream stands in its body.
    if (asksFor(flow, 'POST /chat/completions')) flow.request.buffer();
    const models = { object: 'list', data: [{ id: model, object: 'model' }] };
    if (asksFor(flow, 'GET /models')) flow.respond(answer('application/json', JSON.stringify(models)));
  },

  request(flow, { options: { text, model } }) {
    if (!asksFor(flow, 'POST /chat/completions')) return;
    flow.metadata.uncounted = 'the answer is a mock';
    const completion = (object: string, choice: object) => {
      const created = Math.floor(Date.now() / 1000);
      const start = { index: 0, finish_reason: null };
      return JSON.stringify({ id: 'mock', object, created, model, choices: [{ ...start, ...choice }] });
    };
    // Nothing within a text looks like this in JSON: its quotes are escaped there.
    if (/"stream"\s*:\s*true/.test(flow.request.body.text())) {
      const words = text.split(/(?<=\s)/).map((content) => ({ delta: { role: 'assistant', content } }));
      const choices = [...words, { delta: {}, finish_reason: 'stop' }];
      const events = [...choices.map((choice) => completion('chat.completion.chunk', choice)), '[DONE]'];
      flow.respond(answer('text/event-stream', events.map((event) => `data: ${event}\n\n`).join('')));
    } else {
      const choice = { message: { role: 'assistant', content: text }, finish_reason: 'stop' };
      flow.respond(answer('application/json', completion('chat.completion', choice)));
    }
  },
});

const asksFor = ({ request: { method, path } }: Flow, what: string) => `${method} ${path.split('?')[0]}` === what;

const answer = (type: string, body: string): Answer => ({ status: 200, headers: { 'content-type': type }, body });
