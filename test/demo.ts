/**
 * What a newcomer runs first: `npm run demo`. It starts a fake Copilot and the proxy with its shipped config, sends the
 * traffic of two users through it, with a real client, and shows what came out.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import OpenAI from 'openai';
import { fetch, type ProxyAgent } from 'undici';
import { proxyAgent } from './clients.ts';
import { startFakeCopilot } from './fake-copilot.ts';
import { ProxyProcess } from './proxy-process.ts';
import { API_HOST, COMPLETIONS_PATH, completionRequest, PROXY_HOST } from './requests.ts';

const EDITORS = { alice: 'vscode/1.106.2', bob: 'JetBrains-PC/253.28294.251' } as const;
type User = keyof typeof EDITORS;

const say = (text = '') => process.stdout.write(`${text}\n`);

const fake = await startFakeCopilot(() => ({ pieces: ['    ', 'return', ' x', ' +', ' y'], delayMs: 10 }));
const proxy = await ProxyProcess.start({ upstream: fake });
try {
  say('A fake Copilot and the proxy are running, with the addons of addons.config.ts.');
  for (const user of Object.keys(EDITORS) as User[]) {
    const dispatcher = proxyAgent(proxy, user);
    say(
      `\n${user} asks for a completion in ${EDITORS[user]}, and gets: ${JSON.stringify(await complete(user, dispatcher))}`,
    );
    say(`${user} chats, and gets: ${JSON.stringify(await chat(user, dispatcher))}`);
    await dispatcher.close();
  }
  await proxy.recorded(4);
  await proxy.metrics((day) => day.total_chat_turns === 2 && day.total_completions_count === 2);

  say('\nWhat the console said:\n');
  say(proxy.output.trimEnd().replaceAll(/^/gm, '  '));
  say('\nWhat lies under logs/:\n');
  const files = readdirSync(proxy.path('logs'), { recursive: true, withFileTypes: true }).filter((each) =>
    each.isFile(),
  );
  for (const file of files) say(`  ${path.relative(proxy.path('logs'), path.join(file.parentPath, file.name))}`);
  say('\nThe day’s metrics:\n');
  const metrics = files.find(({ name }) => name.startsWith('copilot-usage_'));
  if (metrics !== undefined)
    say(readFileSync(path.join(metrics.parentPath, metrics.name), 'utf8').replaceAll(/^/gm, '  '));
  say('Everything of this demo is removed again. `npm start` begins for real.');
} finally {
  await proxy.stop();
  await fake.close();
}

function headersOf(user: User): Record<string, string> {
  return {
    authorization: 'Bearer demo',
    'editor-version': EDITORS[user],
    'vscode-machineid': user.padEnd(64, '0'),
  };
}

/** Ghost text, as an editor asks for it. */
async function complete(user: User, dispatcher: ProxyAgent): Promise<string> {
  const response = await fetch(`https://${PROXY_HOST}${COMPLETIONS_PATH}`, {
    method: 'POST',
    headers: { ...headersOf(user), 'content-type': 'application/json', 'openai-intent': 'copilot-ghost' },
    body: completionRequest('def add(x, y):\n'),
    dispatcher,
  });
  const events = (await response.text()).matchAll(/^data: (\{.*\})$/gm);
  return [...events].map(([, data]) => JSON.parse(data ?? '').choices[0]?.text ?? '').join('');
}

/** A chat, by OpenAI's own client. */
async function chat(user: User, dispatcher: ProxyAgent): Promise<string> {
  const openai = new OpenAI({
    baseURL: `https://${API_HOST}`,
    apiKey: 'demo',
    defaultHeaders: headersOf(user),
    fetch: ((url: string, init: object) => fetch(url, { ...init, dispatcher })) as never,
  });
  const messages = [{ role: 'user' as const, content: 'What does this function do?' }];
  const stream = await openai.chat.completions.create({ model: 'gpt-4.1', messages, stream: true });
  let text = '';
  for await (const { choices } of stream) text += choices[0]?.delta.content ?? '';
  return text;
}
