import { Buffer } from 'node:buffer';
import type net from 'node:net';
import { type Hello, readClientHello } from './client-hello.ts';
import { SERVER_LIMITS } from './server-limits.ts';

/**
 * How a tunnel begins. It is `unfinished` when a ClientHello took too long, is too large, or was broken off, and when
 * nothing came.
 */
export interface FirstBytes extends Hello {
  /** All that has been read of it. */
  readonly bytes: Buffer;
}

/** A larger ClientHello is none. With post-quantum keys and session tickets, they have some 2 KB. */
export const MAX_HELLO_BYTES = 16 * 1024;

/** How long the rest of a ClientHello may take once it has begun. */
export const HELLO_TIMEOUT_MS = 5_000;

/**
 * Reads what a client sends first, until it is clear whether that is a ClientHello.
 *
 * @param head what has been read already
 * @param server the other end, where there is one: once it has spoken or closed, the client is not waited for; until
 *   then, it may be silent for as long as it likes
 */
export function readFirstBytes(client: net.Socket, head: Buffer, server?: net.Socket): Promise<FirstBytes> {
  return new Promise((resolve) => {
    let bytes = head;
    let hello: Hello = { kind: 'unfinished', serverName: undefined };
    let timer = server === undefined ? setTimeout(settle, SERVER_LIMITS.headersTimeout) : undefined;
    let hasBegun = false;

    function settle(): void {
      clearTimeout(timer);
      client.off('readable', read).off('end', settle).off('close', settle);
      server?.off('readable', settle).off('close', settle);
      resolve({ ...hello, bytes });
    }
    function read(): void {
      const chunk: Buffer | null = client.read();
      if (chunk !== null) look(Buffer.concat([bytes, chunk]));
    }
    function look(all: Buffer): void {
      bytes = all;
      hello = readClientHello(bytes);
      if (hello.kind !== 'unfinished' || bytes.length > MAX_HELLO_BYTES) settle();
      else if (!hasBegun) {
        hasBegun = true;
        clearTimeout(timer);
        timer = setTimeout(settle, HELLO_TIMEOUT_MS);
      }
    }

    if (isOver(client) || isOver(server)) return settle();
    client.on('readable', read).once('end', settle).once('close', settle);
    server?.once('readable', settle).once('close', settle);
    if (head.length > 0) look(head);
  });
}

function isOver(socket: net.Socket | undefined): boolean {
  return socket !== undefined && (socket.destroyed || socket.readableEnded);
}
