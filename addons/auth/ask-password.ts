import { createInterface } from 'node:readline';
import { Writable } from 'node:stream';

/** Longer ones are a file that was sent by mistake. */
const MAX_INPUT_BYTES = 64 * 1024;

/**
 * Asks for a new password: twice and without showing it on a terminal; else it is the first line of standard input.
 *
 * @throws when there is none, or the two are not the same
 */
export async function askPassword(user: string): Promise<string> {
  const password = process.stdin.isTTY ? await askTwice(user) : await firstLine();
  if (password === '') throw new Error('the password is empty; editors would send none at all');
  return password;
}

async function askTwice(user: string): Promise<string> {
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 });
  const answers = lines[Symbol.asyncIterator]();
  const ask = async (prompt: string): Promise<string> => {
    process.stderr.write(prompt);
    const { done, value } = await answers.next();
    process.stderr.write('\n');
    if (done) throw new Error('no password was given');
    return value;
  };
  try {
    const password = await ask(`Password for ${user}: `);
    if ((await ask('The same again: ')) !== password) throw new Error('these were two different passwords');
    return password;
  } finally {
    lines.close();
  }
}

async function firstLine(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk);
    size += chunk.length;
    if (chunk.includes('\n')) break;
    if (size > MAX_INPUT_BYTES) throw new Error('standard input holds no password: its first line has no end');
  }
  return Buffer.concat(chunks).toString().split('\n')[0]?.replace(/\r$/, '') ?? '';
}
