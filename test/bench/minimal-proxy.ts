/**
 * The least that an intercepting proxy does, written by hand: it is what the cost of all others is seen against. It asks
 * for no password, checks nothing, has no limits, and passes bodies on unseen.
 *
 *     minimal-proxy <port of the server> <CA file of the server>
 */
import { readFileSync } from 'node:fs';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import http2, { type IncomingHttpHeaders, type ServerHttp2Stream } from 'node:http2';
import https from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { makeCertificate } from '../certificates.ts';
import { FAKE_HOSTS } from '../fake-copilot.ts';
import { API_HOST } from '../requests.ts';
import { sayListening } from './child.ts';

const [port = '', caFile = ''] = process.argv.slice(2);
const server = { host: '127.0.0.1', port: Number(port), servername: API_HOST, ca: readFileSync(caFile) };
const agent = new https.Agent({ ...server, keepAlive: true });
const { key, cert, ca } = await makeCertificate(FAKE_HOSTS);

const inner = http2.createSecureServer({ key, cert, allowHTTP1: true });
inner.on('request', (request, response) => {
  if (request.httpVersion !== '2.0')
    relay(request as unknown as IncomingMessage, response as unknown as ServerResponse);
});
inner.on('stream', relayStream);

const front = http.createServer();
front.on('connect', (_request, socket: Socket) => {
  socket.on('error', () => {});
  socket.setNoDelay(true).write('HTTP/1.1 200 Connection Established\r\n\r\n');
  inner.emit('connection', socket);
});
front.listen(0, '127.0.0.1', () => sayListening({ port: (front.address() as AddressInfo).port, ca }));

/** HTTP/1.1, by way of connections that all clients share. */
function relay(request: IncomingMessage, response: ServerResponse): void {
  const { method, url, headers } = request;
  const upstream = https.request({ agent, ...server, method, path: url, headers } as https.RequestOptions);
  upstream.on('response', (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.headers);
    answer.pipe(response);
  });
  upstream.on('error', () => response.destroy());
  response.on('close', () => {
    if (!response.writableFinished) upstream.destroy();
  });
  request.pipe(upstream);
}

let session: http2.ClientHttp2Session | undefined;

/** HTTP/2, by way of one connection that all clients share. */
function relayStream(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): void {
  if (session === undefined || session.destroyed) {
    session = http2.connect(`https://127.0.0.1:${port}`, server);
    session.on('error', () => {});
  }
  const upstream = session.request(headers);
  upstream.on('response', (answer) => {
    if (!stream.destroyed) stream.respond(answer);
    upstream.pipe(stream);
  });
  for (const [one, other] of [
    [stream, upstream],
    [upstream, stream],
  ] as const) {
    one.on('error', () => {});
    one.on('close', () => {
      if (one.rstCode !== 0) other.close(one.rstCode);
    });
  }
  stream.pipe(upstream);
}
