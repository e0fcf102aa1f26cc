import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { describe, it } from 'node:test';
import { curl } from '../clients.ts';
import { startFakeCopilot } from '../fake-copilot.ts';
import { ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';

const config = `export default { addons: [{ script: 'addons/auth.ts', required: true }, 'who.ts'],
  options: { auth: { users: ['alice'], rememberClients: true } } };`;
const who = `export function responseHeaders(flow) { flow.response.headers.set('x-who', flow.client.user); }`;

describe('a client that is remembered', () => {
  it('may forget its credentials once it has sent them, also after a restart', async (t) => {
    const upstream = await startFakeCopilot();
    t.after(() => upstream.close());
    const first = await ProxyProcess.start({ upstream, config, files: { 'who.ts': who } });
    t.after(() => first.stop());
    const look = (proxy: ProxyProcess, user?: string) => curl(proxy, user, '-i', `https://${API_HOST}/models`);
    await first.said(/whoever sends no credentials passes as the last user from that address.*NAT/);
    assert.match((await look(first)).stderr, /407/);
    assert.match((await look(first, 'alice')).stdout, /x-who: alice/);
    assert.match((await look(first)).stdout, /x-who: alice/);
    await first.stop({ keep: true });
    assert.deepEqual(JSON.parse(first.read('logs/usernames.json')), { '127.0.0.1': 'alice' });
    assert.equal(statSync(first.path('logs/usernames.json')).mode & 0o777, 0o600);

    const second = await ProxyProcess.start({ upstream, folder: first.folder });
    t.after(() => second.stop());
    assert.match((await look(second)).stdout, /x-who: alice/);
    const wrong = await curl(second, undefined, '--proxy-user', 'alice:wrong', `https://${API_HOST}/models`);
    assert.match(wrong.stderr, /407/);
  });
});
