import type { ServerResponse } from 'node:http';
import type net from 'node:net';
import type { Answer } from '../addon.ts';
import { codeOf } from '../errors.ts';
import { answerOf } from './cut.ts';
import { endRaw } from './raw-answer.ts';

/** The answer to what is no HTTP request. */
export const BAD_REQUEST = answerOf({ status: 400, code: 'BAD_REQUEST', told: 'That is no HTTP request.' });

const CLIENT_ERRORS: Partial<Record<string, Answer>> = {
  HPE_HEADER_OVERFLOW: answerOf({ status: 431, code: 'HEAD_TOO_LARGE', told: 'The request head is too large.' }),
  ERR_HTTP_REQUEST_TIMEOUT: answerOf({ status: 408, code: 'REQUEST_TIMEOUT', told: 'The request took too long.' }),
};

/**
 * Ends an HTTP/1 connection on which a `clientError` came up: with a short plain answer, unless one of `answers`, those
 * that are on their way on it or still to be made, has begun, and would be garbled by that.
 */
export function endClientError(error: Error, socket: net.Socket, answers: Iterable<ServerResponse>): void {
  // It has been answered already, and what it still sends is read away.
  if (socket.writableEnded) return;
  const pending = [...answers];
  const hasBegun = pending.some((response) => response.headersSent);
  if (!socket.writable || hasBegun || codeOf(error) === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  for (const response of pending) giveUp(response, socket);
  endRaw(socket, CLIENT_ERRORS[codeOf(error) ?? ''] ?? BAD_REQUEST);
}

/** Tells those who make an answer that its client is gone, and keeps the connection from them. */
function giveUp(response: ServerResponse, socket: net.Socket): void {
  if (response.socket === socket) response.detachSocket(socket);
  response.destroy();
  response.emit('close');
}
