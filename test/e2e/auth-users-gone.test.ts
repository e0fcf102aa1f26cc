import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ask, openSession, tryTunnel } from '../clients.ts';
import type { FakeCopilot } from '../fake-copilot.ts';
import { eventually, type ProxyProcess } from '../proxy-process.ts';
import { API_HOST } from '../requests.ts';
import { setStage } from '../stage.ts';

const config = (auth: object) =>
  `export default { addons: [{ script: 'addons/auth.ts', required: true }], options: { auth: ${JSON.stringify(auth)} } };`;
const GET = { ':method': 'GET', ':path': '/models' };

describe('a user who may no longer use the proxy', () => {
  let proxy: ProxyProcess;
  let fake: FakeCopilot;
  setStage({ config: config({ users: ['alice', 'bob', 'carol'], disabled: ['carol'] }) }, undefined, (stage) => {
    ({ proxy, fake } = stage);
  });

  const connect = (user: string, password: string) => tryTunnel(proxy, API_HOST, user, password);

  it('is told so with a 403 if the password is right, and learns nothing if it is wrong', async () => {
    const right = await connect('carol', proxy.password('carol'));
    assert.equal(right.status, 403);
    assert.match(right.text, /this user may not use the proxy/);
    assert.equal((await connect('carol', 'wrong')).status, 407);
    await proxy.said(/carol is disabled/);
  });

  it('gets no more out of tunnels that are open, and others do', async () => {
    const sessions = {
      alice: await openSession(proxy, 'alice', API_HOST),
      bob: await openSession(proxy, 'bob', API_HOST),
    };
    for (const session of Object.values(sessions)) assert.equal((await ask(session, GET)).status, 200);
    proxy.write('addons.config.ts', config({ users: ['alice', 'bob', 'carol'], disabled: ['alice', 'carol'] }));
    await proxy.said(/applied/);
    const before = fake.requests.length;
    assert.equal((await ask(sessions.alice, GET)).status, 403);
    assert.equal(fake.requests.length, before);
    assert.equal((await ask(sessions.bob, GET)).status, 200);

    const since = proxy.output.length;
    proxy.write('addons.config.ts', config({ users: ['alice'] }));
    await proxy.said(/applied/, since);
    assert.equal((await ask(sessions.alice, GET)).status, 200);
    assert.equal((await ask(sessions.bob, GET)).status, 403);
    for (const session of Object.values(sessions)) session.close();
  });

  it('is gone a moment after the command has removed them', async () => {
    proxy.write('logs/user_auth.json', JSON.stringify({ dave: { password: 'his' }, alice: 'x' }));
    await eventually('dave is a user', async () => (await connect('dave', 'his')).status === 200);
    const session = await openSession(proxy, 'alice', API_HOST);
    proxy.write('logs/user_auth.json', JSON.stringify({ alice: 'x' }));
    await eventually('dave is none', async () => (await connect('dave', 'his')).status === 407);
    assert.equal((await ask(session, GET)).status, 200);
    session.close();
  });
});
