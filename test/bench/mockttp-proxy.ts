/**
 * mockttp by itself, in the best setting that it has for this: one rule that passes all through, and nothing recorded.
 * The CA of the server comes by `NODE_EXTRA_CA_CERTS`; by mockttp's own option, each request would cost three times as
 * much.
 *
 *     mockttp-proxy <port of the server>
 */
import { generateCACertificate, getLocal } from 'mockttp';
import { sayListening } from './child.ts';

const [port = ''] = process.argv.slice(2);
const https = await generateCACertificate();
const proxy = getLocal({ https, http2: true, recordTraffic: false });
await proxy.forAnyRequest().thenPassThrough({
  transformRequest: { replaceHost: { targetHost: `127.0.0.1:${port}`, updateHostHeader: false } },
});
await proxy.start();
sayListening({ port: proxy.port, ca: https.cert });
