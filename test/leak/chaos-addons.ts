/** Addons for the chaos: one that misbehaves as a request's header says, and one that keeps the books. */

/** The header of a request, or of a CONNECT, that says what an addon does in which hook: `hook:deed,hook:deed`. */
export const MOOD_HEADER = 'x-mood';
/** The header of answers that the moody addon has made. */
export const MOODY_ANSWER_HEADER = 'x-moody';

/** All that the moody addon can be told to do with a flow. */
export const MOODS: readonly string[] = [
  ...['throw', 'reject', 'slow', 'respond', 'kill', 'bufferRequest', 'transformRequest', 'breakRequest'].map(
    (deed) => `requestHeaders:${deed}`,
  ),
  ...['throw', 'reject', 'slow', 'respond', 'kill'].map((deed) => `request:${deed}`),
  ...['throw', 'reject', 'slow', 'respond', 'kill', 'bufferResponse', 'transformResponse', 'breakResponse'].map(
    (deed) => `responseHeaders:${deed}`,
  ),
  ...['throw', 'reject', 'slow', 'kill', 'setResponse'].map((deed) => `response:${deed}`),
  ...['throw', 'reject', 'slow'].map((deed) => `error:${deed}`),
  'requestHeaders:bufferRequest,request:setRequest',
  'requestHeaders:bufferRequest,request:respond',
  'requestHeaders:bufferRequest,request:kill',
  'requestHeaders:respond,responseHeaders:transformResponse',
  'responseHeaders:bufferResponse,response:setResponse',
  'responseHeaders:bufferResponse,response:respond',
  'responseHeaders:bufferResponse,response:kill',
  'requestHeaders:slow,request:slow,responseHeaders:slow,response:slow,error:slow',
];

/** The same for a wish to connect. */
export const CONNECT_MOODS: readonly string[] = ['connect:throw', 'connect:slow', 'connect:deny'];

/** `version` only makes it another file. */
export const moody = (version: number) => `
  import { setTimeout as sleep } from 'node:timers/promises';
  // Version ${version}.
  const broken = () => { throw new Error('a transform in a mood'); };
  const deeds = {
    throw() { throw new Error('in a mood'); },
    async reject() { await sleep(1); throw new Error('in a mood, later'); },
    slow: () => sleep(20),
    respond(flow) { flow.respond({ status: 200, headers: { '${MOODY_ANSWER_HEADER}': '1' }, body: 'moody' }); },
    kill(flow) { flow.kill(); },
    deny(tunnel) { tunnel.deny(403); },
    bufferRequest(flow) { flow.request.buffer(); },
    bufferResponse(flow) { flow.response.buffer(); },
    transformRequest(flow) { flow.request.transform(async (chunk) => { await sleep(1); return chunk; }); },
    transformResponse(flow) { flow.response.transform((chunk) => [chunk.subarray(0, 1), chunk.subarray(1)]); },
    breakRequest(flow) { flow.request.transform(broken); },
    breakResponse(flow) { flow.response.transform(broken); },
    setRequest(flow) { flow.request.body.set(flow.request.body.bytes()); },
    setResponse(flow) { flow.response.body.set(flow.response.body.bytes()); },
  };
  const inMood = (hook, headers, subject) => {
    for (const mood of (headers.get('${MOOD_HEADER}') ?? '').split(',')) {
      const [at, deed] = mood.split(':');
      if (at === hook) return deeds[deed](subject);
    }
  };
  const on = (hook) => (flow) => inMood(hook, flow.request.headers, flow);
  export const connect = (tunnel) => inMood('connect', tunnel.headers, tunnel);
  export const requestHeaders = on('requestHeaders');
  export const request = on('request');
  export const responseHeaders = on('responseHeaders');
  export const response = on('response');
  export const error = on('error');
`;

/** What became of the flows. */
export interface Books {
  /** How many flows have had these hooks called, in this order; with the path of one of them. */
  readonly flows: Record<string, { count: number; example: string }>;
  /** Connections that have been told of, and not of their end. */
  readonly openConnections: number;
  /** Handshakes that clients broke off, by cause. */
  readonly tlsFailures: Record<string, number>;
  /** Ends of connections that nobody knew. */
  readonly strayEnds: number;
}

/** Notes each hook of each flow to that host, and answers `/books` with all of it. */
export const bookkeeper = (host: string) => `
  import { defineAddon } from 'insight-dump';
  const note = (hook) => (flow, ctx) => {
    if (flow.request.host !== '${host}') return;
    const known = ctx.state.flows.get(flow.id);
    ctx.state.flows.set(flow.id, { hooks: known === undefined ? hook : known.hooks + ' ' + hook, path: flow.request.path });
  };
  const begun = note('requestHeaders');
  export default defineAddon({
    name: 'books',
    state: () => ({ flows: new Map(), connections: new Set(), tlsFailures: {}, strayEnds: 0 }),
    clientConnected(client, { state }) { state.connections.add(client.id); },
    clientDisconnected(client, { state }) { if (!state.connections.delete(client.id)) state.strayEnds += 1; },
    tlsFailed(tunnel, { cause }, { state }) { state.tlsFailures[cause] = (state.tlsFailures[cause] ?? 0) + 1; },
    requestHeaders(flow, ctx) {
      begun(flow, ctx);
      if (flow.request.path !== '/books') return;
      const flows = {};
      for (const { hooks, path } of ctx.state.flows.values()) {
        flows[hooks] ??= { count: 0, example: path };
        flows[hooks].count += 1;
      }
      const { connections, tlsFailures, strayEnds } = ctx.state;
      const books = { flows, openConnections: connections.size, tlsFailures, strayEnds };
      flow.respond({ status: 200, body: JSON.stringify(books) });
    },
    request: note('request'),
    responseHeaders: note('responseHeaders'),
    response: note('response'),
    error: note('error'),
  });
`;
