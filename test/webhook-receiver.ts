/** A server that notes are posted to. */
import { once } from 'node:events';
import http from 'node:http';
import type net from 'node:net';

export interface Note {
  readonly headers: http.IncomingHttpHeaders;
  readonly text: string;
}

export class WebhookReceiver {
  readonly notes: Note[] = [];
  /** How posts are answered from now on. */
  answer: (response: http.ServerResponse) => void = (response) => response.end('ok');
  readonly #server = http.createServer(async (request, response) => {
    const chunks = await request.toArray();
    this.notes.push({ headers: request.headers, text: Buffer.concat(chunks).toString() });
    this.answer(response);
  });

  static async start(): Promise<WebhookReceiver> {
    const receiver = new WebhookReceiver();
    await once(receiver.#server.listen(0, '127.0.0.1'), 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as net.AddressInfo).port}/hook`;
  }

  async close(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
