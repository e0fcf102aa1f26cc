import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { bundleTest, type Change, runDoctored } from '../../doctored.ts';

const PACKAGES = ['mockttp', '@httptoolkit/httpolyglot'];

const POLYGLOT = '@httptoolkit/httpolyglot/dist/index.js';
const COMBO = 'mockttp/dist/server/http-combo-server.js';
const SERVER = 'mockttp/dist/server/mockttp-server.js';
const REQUESTS = 'mockttp/dist/util/request-utils.js';
const SYMBOLS = 'mockttp/dist/util/socket-extensions.js';

interface Doctoring {
  /** What an upgrade could change. */
  readonly what: string;
  readonly changes: readonly Change[];
  /** The tests that have to say so. */
  readonly failing: readonly string[];
}

const rename = (from: string, to: string, files: readonly string[]): Change[] =>
  files.map((file) => ({ file, from, to }));

const DOCTORINGS: readonly Doctoring[] = [
  {
    what: 'its server is in another field',
    changes: [
      { file: SERVER, from: 'this.server.listen(port)', to: "this.server.listen(port, '127.0.0.1')" },
      { file: SERVER, from: 'this.server', to: 'this.comboServer' },
    ],
    failing: ['can be started', 'assigns its server to `server` before that is told to listen'],
  },
  {
    what: "Node's servers are in other fields of it",
    changes: ['tls', 'http', 'http2'].flatMap((name) => rename(`_${name}Server`, `${name}SubServer`, [POLYGLOT])),
    failing: [
      'can be started',
      "has Node's servers in `_httpServer` and `_http2Server` of it, and what turns TLS away in `_tlsServer`",
    ],
  },
  {
    what: 'it listens to CONNECT where it comes up',
    changes: [
      {
        file: COMBO,
        from: "server.addListener('connect', function",
        to: "for (const each of [server._httpServer, server._http2Server]) each.addListener('connect', function",
      },
    ],
    failing: [
      'has nothing but listeners of that server for `connect` and `clientError`',
      'grants no tunnel within a tunnel, of h1',
      'grants no tunnel within a tunnel, of h2, whose other streams go on',
    ],
  },
  {
    what: 'it listens to client errors where they come up',
    changes: [{ file: SERVER, from: "this.server.on('clientError'", to: "this.server._httpServer.on('clientError'" }],
    failing: ['has nothing but listeners of that server for `connect` and `clientError`'],
  },
  {
    what: 'it takes connections only while it listens',
    changes: [{ file: POLYGLOT, from: 'super((socket) => this', to: 'super((socket) => this.listening && this' }],
    failing: ['takes a socket by `connection`, also when it has been read from'],
  },
  {
    what: 'it takes only TLS that it has ended itself',
    changes: [
      {
        file: POLYGLOT,
        from: 'tlsListener(tlsSocket) {',
        to: 'tlsListener(tlsSocket) { if (tlsSocket.server !== this._tlsServer) return;',
      },
    ],
    failing: [
      'takes a socket by `tlsListener` whose TLS we have ended, for h1',
      'takes a socket by `tlsListener` whose TLS we have ended, for h2',
    ],
  },
  {
    what: 'it has steps of WebSockets in another file',
    changes: [
      {
        file: 'mockttp/dist/main.js',
        from: 'require("./rules/websockets/websocket-step-definitions")',
        to: 'require("./rules/websockets/websocket-step-impls")',
      },
    ],
    failing: ['exports what we take from the files of it that have it'],
  },
  {
    what: 'it hears of TLS errors in another way',
    changes: [{ file: COMBO, from: "server.on('tlsClientError'", to: "server.on('tlsHandshakeError'" }],
    failing: ['tells by `tls-client-error` at which address a handshake failed'],
  },
  {
    what: 'it names addresses in another way',
    changes: rename('remoteIpAddress:', 'remoteAddress:', ['mockttp/dist/util/socket-util.js']),
    failing: ['tells by `tls-client-error` at which address a handshake failed'],
  },
  {
    what: 'tags are kept under another symbol',
    changes: rename('SocketMetadata', 'SocketDetails', [SYMBOLS]).concat(
      ['server/socks-server.js', 'server/http-combo-server.js', 'server/mockttp-server.js'].flatMap((file) =>
        rename('socket_extensions_1.SocketMetadata', 'socket_extensions_1.SocketDetails', [`mockttp/dist/${file}`]),
      ),
      ['request-utils.js', 'socket-util.js', 'socket-metadata.js'].flatMap((file) =>
        rename('socket_extensions_1.SocketMetadata', 'socket_extensions_1.SocketDetails', [
          `mockttp/dist/util/${file}`,
        ]),
      ),
    ),
    failing: [
      'has TLS in a socket bring what that has in `SocketMetadata`',
      'has each upgrade bring the tags of its socket by `SocketMetadata`',
    ],
  },
  {
    what: 'tags have another prefix',
    changes: rename('`socket-metadata:', '`connection:', ['mockttp/dist/util/socket-metadata.js']),
    failing: ['has each upgrade bring the tags of its socket by `SocketMetadata`'],
  },
  {
    what: 'tags are not passed on from a connection to the TLS in it',
    changes: [{ file: COMBO, from: 'inheritSocketDetails(parentSocket, socket);', to: '' }],
    failing: ['has TLS in a socket bring what that has in `SocketMetadata`'],
  },
  {
    what: 'tags are taken from requests',
    changes: [
      {
        file: REQUESTS,
        from: 'let socketMetadata = req.socket[socket_extensions_1.SocketMetadata];',
        to: "let socketMetadata = (0, socket_metadata_1.getSocketMetadataFromProxyAuth)(req.socket, (0, header_utils_1.getHeaderValue)(rawHeaders, 'proxy-authorization'));",
      },
    ],
    failing: ['does not take the word of a client for who it is'],
  },
  {
    what: 'where a tunnel leads is kept under another symbol',
    changes: [
      ...rename('LastTunnelAddress', 'TunnelDestination', [SYMBOLS]),
      ...rename('socket_extensions_1.LastTunnelAddress', 'socket_extensions_1.TunnelDestination', [COMBO, REQUESTS]),
    ],
    failing: ['makes nothing of a `Host` where `LastTunnelAddress` is set'],
  },
  {
    what: 'it has requests without listening to them',
    changes: [
      {
        file: POLYGLOT,
        from: 'this._httpServer = new http.Server(config.http ?? {}, boundListener);',
        to: `this._httpServer = new http.Server(config.http ?? {});
          const emit = this._httpServer.emit;
          this._httpServer.emit = function (event, ...args) {
            return event === 'request' ? boundListener(...args) : emit.call(this, event, ...args);
          };`,
      },
    ],
    failing: [
      'has nothing but listeners of Node’s servers for requests',
      'leaves what comes behind a body as Node has it',
      'does nothing to the answer of a request',
    ],
  },
  {
    what: 'it has upgrades without listening to them',
    changes: [
      {
        file: SERVER,
        from: "this.server.on('upgrade', this.handleWebSocket.bind(this));",
        to: `const { emit } = this.server._httpServer;
          this.server._httpServer.emit = (event, ...args) =>
            event === 'upgrade' ? this.handleWebSocket(...args) : emit.call(this.server._httpServer, event, ...args);`,
      },
    ],
    failing: ['sees of upgrades what listeners before its own have made of them'],
  },
  {
    what: 'it makes WebSocket steps without what is their own',
    changes: [
      {
        file: 'mockttp/dist/rules/websockets/websocket-rule.js',
        from: '.prototype), stepDefinition)',
        to: '.prototype), { ...stepDefinition, handle: websocket_step_impls_1.WsStepLookup[stepDefinition.type].prototype.handle })',
      },
    ],
    failing: ["calls a WebSocket step's own `handle`"],
  },
  {
    what: 'headers of requests are as Node has them',
    changes: [
      {
        file: REQUESTS,
        from: 'rawHeaders,\n        rawTrailers,',
        to: 'rawHeaders: rawHeaders.flat(),\n        rawTrailers,',
      },
    ],
    failing: ["hands over Node's own request of an upgrade, with its headers in pairs"],
  },
  {
    what: 'requests are of its own making',
    changes: [
      {
        file: REQUESTS,
        from: 'Object.assign(req, {\n        id,',
        to: 'Object.assign(Object.create(req), {\n        id,',
      },
    ],
    failing: ["hands over Node's own request of an upgrade, with its headers in pairs"],
  },
  {
    what: 'it keeps track of sockets by another method',
    changes: [
      { file: SERVER, from: 'socket._write = function', to: 'socket.write = function' },
      { file: SERVER, from: 'const originalWrite = socket._write;', to: 'const originalWrite = socket.write;' },
    ],
    failing: ['keeps track of sockets to be upgraded by own methods of theirs only, which go'],
  },
  {
    what: 'it speaks by way of something else',
    changes: [
      {
        file: SERVER,
        from: 'console.error("Failed to handle websocket:",',
        to: 'setImmediate(console.error, "Failed to handle websocket:",',
      },
      { file: SERVER, from: "console.log('Response error:',", to: "setImmediate(console.log, 'Response error:'," },
    ],
    failing: ['says on the console, out of a folder of its name, what it has to say'],
  },
];

describe('an upgrade of mockttp', { concurrency: 8 }, () => {
  const contract = bundleTest('test/core/engine/mockttp.test.ts');

  it('that changes nothing of what we use fails no test, and each test is for something below', async () => {
    const { passed, failed, output } = await runDoctored(await contract, PACKAGES, []);
    assert.deepEqual(failed, [], output);
    assert.deepEqual(new Set(passed), new Set(DOCTORINGS.flatMap(({ failing }) => failing)));
  });

  for (const { what, changes, failing } of DOCTORINGS) {
    it(`after which ${what} fails the test of that by name`, async () => {
      const { failed, output } = await runDoctored(await contract, PACKAGES, changes);
      const silent = failing.filter((name) => !failed.includes(name));
      assert.deepEqual(silent, [], output);
    });
  }

  it('that leaves nothing to doctor is told', async () => {
    const stale = runDoctored(await contract, PACKAGES, [{ file: SERVER, from: 'no such text', to: '' }]);
    await assert.rejects(stale, /mockttp-server\.js has no "no such text" any more/);
  });
});
