/** Answers as `answers.ts` has it: run as a process of its own, so that its time is not taken for that of a proxy. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { startOwnUpstream } from '../own-upstream.ts';
import { ANSWER_HEADER, ANSWERS, type Answer, type AnswerName } from './answers.ts';
import { sayListening } from './child.ts';

const upstream = await startOwnUpstream(answer, undefined, 'h2');
sayListening({ port: upstream.port, plainPort: upstream.plainPort, ca: upstream.ca });

function answer(request: IncomingMessage, response: ServerResponse): void {
  const name = request.headers[ANSWER_HEADER] as AnswerName;
  response.on('error', () => {});
  request.on('error', () => {});
  request.resume().once('end', () => void send(response, ANSWERS[name]));
}

async function send(response: ServerResponse, { type, chunks, pauseMs }: Answer): Promise<void> {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) {
    const bytes = first();
    response.writeHead(200, { 'content-type': type, 'content-length': bytes.length }).end(bytes);
    return;
  }
  response.writeHead(200, { 'content-type': type });
  for (const [i, chunk] of chunks.entries()) {
    if (i > 0) await (pauseMs > 0 ? sleep(pauseMs) : turn());
    response.write(chunk());
  }
  response.end();
}
