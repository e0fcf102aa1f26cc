/** Proxies that ours may have to go through, for tests: of HTTP, and of SOCKS5. They lead to one fake, whatever is asked. */
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import type { FakeCopilot } from './fake-copilot.ts';

export interface FakeParent {
  readonly port: number;
  /** What it was asked for, a line each; with the credentials. */
  readonly asked: string[];
  close(): Promise<void>;
}

/** With a `login` as `user:password`, it asks for that. */
export async function startHttpParent(fake: FakeCopilot, login?: string): Promise<FakeParent> {
  const asked: string[] = [];
  const granted = (request: http.IncomingMessage) => {
    const [, sent = ''] = (request.headers['proxy-authorization'] ?? '').split(' ');
    const given = Buffer.from(sent, 'base64').toString();
    asked.push(`${request.method} ${request.url}${given === '' ? '' : ` ${given}`}`);
    return login === undefined || given === login;
  };
  const server = http.createServer((request, response) => {
    if (!granted(request)) {
      response.writeHead(407).end();
      return;
    }
    const { pathname, search } = new URL(request.url ?? '');
    const headers = { ...request.headers };
    delete headers['proxy-authorization'];
    const onward = http.request({ port: fake.plainPort, method: request.method, path: pathname + search, headers });
    onward.once('response', (answer) => {
      response.writeHead(answer.statusCode ?? 0, answer.headers);
      answer.pipe(response);
    });
    request.pipe(onward);
  });
  server.on('connect', (request: http.IncomingMessage, socket: net.Socket, head: Buffer) => {
    if (!granted(request)) {
      socket.end('HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n');
      return;
    }
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    socket.unshift(head);
    join(socket, net.connect(fake.port, '127.0.0.1'));
  });
  return listening(server, asked);
}

/** RFC 1928; with a `login`, RFC 1929 as well. */
export async function startSocksParent(fake: FakeCopilot, login?: string): Promise<FakeParent> {
  const asked: string[] = [];
  const server = net.createServer(async (socket) => {
    socket.on('error', () => {});
    const next = async () => ((await once(socket, 'data')) as [Buffer])[0];
    await next();
    let given = '';
    socket.write(Uint8Array.of(5, login === undefined ? 0 : 2));
    if (login !== undefined) {
      const proof = await next();
      const userEnd = 2 + (proof[1] as number);
      given = `${proof.toString('utf8', 2, userEnd)}:${proof.toString('utf8', userEnd + 1)}`;
      socket.write(Uint8Array.of(1, given === login ? 0 : 1));
      if (given !== login) return;
    }
    const wish = await next();
    const host = wish.toString('utf8', 5, 5 + (wish[4] as number));
    asked.push(`socks ${host}:${wish.readUInt16BE(wish.length - 2)}${given === '' ? '' : ` ${given}`}`);
    socket.write(Uint8Array.of(5, 0, 0, 1, 0, 0, 0, 0, 0, 0));
    join(socket, net.connect(wish.readUInt16BE(wish.length - 2) === 80 ? fake.plainPort : fake.port, '127.0.0.1'));
  });
  return listening(server, asked);
}

function join(one: net.Socket, other: net.Socket): void {
  for (const socket of [one, other]) socket.on('error', () => {});
  one.pipe(other).pipe(one);
}

async function listening(server: net.Server, asked: string[]): Promise<FakeParent> {
  const sockets = new Set<net.Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    asked,
    async close() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
