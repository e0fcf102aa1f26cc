import assert from 'node:assert/strict';
import net from 'node:net';
import { describe, it } from 'node:test';
import { readAnswers } from '../answers.ts';
import { basic, openTunnel } from '../clients.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { RAW_CONFIG, type RawUpstream, setRawStage } from '../raw-upstream.ts';
import { API_HOST } from '../requests.ts';

const PAUSE_MS = 100;

describe('a connection of which one side has ended', () => {
  let proxy: ProxyProcess;
  let upstream: RawUpstream;
  setRawStage(RAW_CONFIG, (stage) => {
    ({ proxy, upstream } = stage);
  });
  const login = () => `Proxy-Authorization: ${basic('alice', proxy.password('alice'))}`;
  const open = () => {
    const socket = net.connect({ port: proxy.port, host: '127.0.0.1', allowHalfOpen: true });
    return { socket, ...receiving(socket) };
  };
  const receiving = (socket: net.Socket) => {
    let received = '';
    socket
      .on('error', () => {})
      .on('data', (data: Buffer) => {
        received += data.toString('latin1');
      });
    return { received: () => received };
  };
  const openBlind = async () => {
    const { socket, received } = open();
    socket.write(`CONNECT blind.example:80 HTTP/1.1\r\nHost: blind.example:80\r\n${login()}\r\n\r\n`);
    await eventually('the tunnel', () => received().startsWith('HTTP/1.1 200'));
    return { socket, received: () => received().slice(received().indexOf('\r\n\r\n') + 4) };
  };

  // One that has closed its connection looks the same, and its server has to be told within a second.
  for (const where of ['behind a plain request', 'behind a request in a tunnel']) {
    it(`by its client, ${where}, has lost its client`, async () => {
      let asked = '';
      let isOver = false;
      upstream.serve = (socket) => {
        socket.on('data', (data) => {
          asked += data;
        });
        socket.once('end', () => {
          isOver = true;
        });
      };
      const path = `/${where.replaceAll(' ', '-')}`;
      const inTunnel = where.endsWith('tunnel');
      const client = inTunnel ? await openTunnel(proxy, 'alice', API_HOST) : open().socket;
      const target = inTunnel ? path : `http://plain.example${path}`;
      client.on('error', () => {}).write(`GET ${target} HTTP/1.1\r\nHost: plain.example\r\n${login()}\r\n\r\n`);
      await eventually('the server has it', () => asked.endsWith('\r\n\r\n'));
      client.end();
      await proxy.said(new RegExp(`flow ${path} error client CLIENT_CLOSED`));
      await eventually('the server is told', () => isOver, 1_000);
    });
  }

  it('by its client, in a blind tunnel, still brings what the server sends', async () => {
    upstream.serve = (socket) => {
      let asked = '';
      socket.on('data', (data) => {
        asked += data;
      });
      socket.once('end', () => setTimeout(() => socket.end(`got ${asked}`), PAUSE_MS));
    };
    const { socket, received } = await openBlind();
    socket.end('all of it');
    await eventually('the end', () => socket.readableEnded);
    assert.equal(received(), 'got all of it');
  });

  it('by its server, in a blind tunnel, still takes what the client sends', async () => {
    let got = '';
    upstream.serve = (socket) => {
      socket.end('hello');
      socket.on('data', (data) => {
        got += data;
      });
    };
    const { socket, received } = await openBlind();
    await eventually('the end', () => socket.readableEnded);
    assert.equal(received(), 'hello');
    socket.write('still ');
    setTimeout(() => socket.end('here'), PAUSE_MS);
    await eventually('the rest', () => got === 'still here');
  });

  it('by its server, before it has answered, is a fault of the server', async () => {
    upstream.serve = (socket) => socket.once('data', () => socket.end());
    const { socket, received } = open();
    socket.write(`GET http://plain.example/silent HTTP/1.1\r\nHost: plain.example\r\n${login()}\r\n\r\n`);
    await eventually('the answer', () => readAnswers(received())[0]?.whole);
    assert.equal(readAnswers(received())[0]?.status, 502);
    await proxy.said(/flow \/silent error upstream ECONNRESET/);
    socket.destroy();
  });
});
