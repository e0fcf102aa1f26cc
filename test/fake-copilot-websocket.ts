/** What Copilot does on a WebSocket at `/responses`: it answers each question with the events of a response. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type WebSocket, WebSocketServer } from 'ws';
import type { FakeCopilot } from './fake-copilot.ts';
import { QUOTA_SNAPSHOTS, responseEvents, type Said } from './fake-copilot-responses.ts';

/** A question, as it came in a frame. */
export interface Question {
  readonly type: 'response.create';
  readonly initiator?: string;
  readonly input?: unknown;
  readonly previous_response_id?: string;
}

/** How to answer one. */
export interface ConversationPlan extends Said {
  /** Between one event and the next. */
  readonly delayMs?: number;
  /** So many events only; then nothing more comes. */
  readonly stopAfter?: number;
  /** Close with this code behind them. */
  readonly close?: number;
}

/** Has a fake agree to WebSockets and answer what is asked on them. Returns the sockets, as they open. */
export function converse(fake: FakeCopilot, plan: (question: Question) => ConversationPlan): WebSocket[] {
  const sockets: WebSocket[] = [];
  const server = new WebSocketServer({ noServer: true, perMessageDeflate: true });
  fake.upgrade = (request, socket, head) =>
    server.handleUpgrade(request, socket, head, (webSocket) => {
      sockets.push(webSocket);
      webSocket.on('error', () => {});
      webSocket.on('message', (text) => void answer(webSocket, JSON.parse(String(text)) as Question, plan));
    });
  return sockets;
}

async function answer(
  socket: WebSocket,
  question: Question,
  plan: (question: Question) => ConversationPlan,
): Promise<void> {
  const { delayMs = 0, stopAfter = Number.POSITIVE_INFINITY, close, ...said } = plan(question);
  const events = responseEvents(said);
  const last = { ...events.at(-1), copilot_quota_snapshots: QUOTA_SNAPSHOTS };
  for (const event of [...events.slice(0, -1), last].slice(0, stopAfter)) {
    if (delayMs > 0) await sleep(delayMs);
    if (socket.readyState !== socket.OPEN) return;
    socket.send(JSON.stringify(event));
  }
  if (close !== undefined) socket.close(close);
}
