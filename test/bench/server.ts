/** Answers as `answers.ts` has it: run as a process of its own, so that its time is not taken for that of a proxy. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { answerLargeBody } from '../large-bodies.ts';
import { startOwnUpstream } from '../own-upstream.ts';
import {
  ANSWER_HEADER,
  ANSWERS,
  type Answer,
  type AnswerName,
  HELD_PATH,
  LARGE_PATH,
  RELEASE_PATH,
} from './answers.ts';
import { sayListening } from './child.ts';

/** Goes on with each stream that is held. */
const held: (() => void)[] = [];

const upstream = await startOwnUpstream(answer, undefined, 'h2');
sayListening({ port: upstream.port, plainPort: upstream.plainPort, ca: upstream.ca });

function answer(request: IncomingMessage, response: ServerResponse): void {
  response.on('error', () => {});
  request.on('error', () => {});
  switch (request.url) {
    case LARGE_PATH:
      void answerLargeBody(request, response);
      break;
    case RELEASE_PATH:
      for (const goOn of held.splice(0)) goOn();
      response.end();
      break;
    case HELD_PATH:
      response.end(String(held.length));
      break;
    default:
      request.resume().once('end', () => void send(response, ANSWERS[request.headers[ANSWER_HEADER] as AnswerName]));
  }
}

async function send(response: ServerResponse, { type, chunks, pauseMs, isHeld }: Answer): Promise<void> {
  const [first] = chunks;
  if (chunks.length === 1 && first !== undefined) {
    const bytes = first();
    response.writeHead(200, { 'content-type': type, 'content-length': bytes.length }).end(bytes);
    return;
  }
  response.writeHead(200, { 'content-type': type });
  for (const [i, chunk] of chunks.entries()) {
    if (i === 1 && isHeld) await new Promise<void>((resolve) => held.push(resolve));
    if (i > 0) await (pauseMs > 0 ? sleep(pauseMs) : turn());
    response.write(chunk());
  }
  response.end();
}
