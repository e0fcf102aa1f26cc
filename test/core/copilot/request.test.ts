import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { answered, CHAT, MESSAGES, RESPONSES } from '../../exchanges.ts';
import * as requests from '../../requests.ts';

const ATTACHMENT = '<attachments>\n<attachment filePath="/home/alice/work/a.go">\nUser\'s active file\n</attachment>';
const ENVIRONMENT = "<environment_info>\nThe user's current OS is: Linux\n</environment_info>";
const user = (content: unknown) => ({ role: 'user', content });
const assistant = { role: 'assistant', content: 'See ```rust\nx\n```' };
const text = (value: string) => ({ type: 'text', text: value });
const inputText = (value: string) => ({ type: 'input_text', text: value });

/** The language of a chat whose answer has no code. */
async function languageOf(url: string, body: object): Promise<readonly [string, boolean]> {
  const { language, languageInferred } = await answered(url, '{}', { body: JSON.stringify(body) });
  return [language, languageInferred];
}

describe('the language of what is asked', () => {
  for (const [what, url, body, language] of [
    ['of several messages of a chat', CHAT, { messages: [user(ENVIRONMENT), user(ATTACHMENT), user('Why?')] }, 'go'],
    [
      'of the parts of messages',
      MESSAGES,
      { messages: [user([text(ENVIRONMENT), text(ATTACHMENT), text('Why?')])] },
      'go',
    ],
    [
      'of the items of responses',
      RESPONSES,
      { input: [user([inputText(ATTACHMENT)]), user([inputText('Why?')])] },
      'go',
    ],
    ['of responses to a text', RESPONSES, { input: 'What does a.py do?' }, 'python'],
    ['of the last question only', CHAT, { messages: [user('Fix a.py'), assistant, user(ATTACHMENT)] }, 'go'],
    [
      'of the question that a tool’s result belongs to',
      CHAT,
      { messages: [user(ATTACHMENT), assistant, { role: 'tool', content: 'a.py b.py c.py' }] },
      'go',
    ],
    [
      'of what an extension is referred to',
      CHAT,
      {
        messages: [
          { ...user('Why?'), copilot_references: [{ type: 'client.file', id: 'src/a.rb', data: { content: 'x' } }] },
        ],
      },
      'ruby',
    ],
    [
      'not of what the editor says of itself',
      CHAT,
      { messages: [{ role: 'system', content: 'Write ```py' }, user('Hi')] },
      'unknown',
    ],
    [
      'not of what is no text',
      CHAT,
      { messages: [{ role: 'user', content: [{ text: 1 }, null, 7] }, 'a.py', null] },
      'unknown',
    ],
  ] as const)
    it(`is the one ${what}`, async () => {
      assert.deepEqual(await languageOf(url, body), [language, language !== 'unknown']);
    });

  for (const name of [requests.CHAT_TURN, requests.RESPONSES, requests.MESSAGES])
    it(`is that of what is attached in ${name} of the real language server`, async () => {
      const { host, path, headers, body } = requests.capture(name);
      // Paths are blotted out in what was captured.
      const wire = JSON.stringify(body).replace('(a path)', '/home/alice/work/greeter.ts');
      const exchange = await answered(`https://${host}${path}`, '{}', { headers, body: wire });
      assert.deepEqual([exchange.language, exchange.languageInferred], ['typescript', true]);
    });
});
