/** TypeScript's language server, as an editor talks to it: https://microsoft.github.io/language-server-protocol/ */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { pathToFileURL } from 'node:url';
import { TSC } from './install.ts';

interface Message {
  readonly id?: number | string;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: { readonly message: string };
}

/** An editor on a folder. */
export class Editor {
  readonly #folder: string;
  readonly #server: ChildProcessByStdio<Writable, Readable, null>;
  readonly #waiting = new Map<unknown, (answer: Message) => void>();
  #received = Buffer.alloc(0);
  #last = 0;

  private constructor(folder: string) {
    this.#folder = folder;
    this.#server = spawn(TSC, ['--lsp', '--stdio'], { cwd: folder, stdio: ['pipe', 'pipe', 'inherit'] });
    this.#server.stdout.on('data', (chunk: Buffer) => this.#receive(chunk));
  }

  static async open(folder: string): Promise<Editor> {
    const editor = new Editor(folder);
    await editor.#ask('initialize', { processId: process.pid, rootUri: pathToFileURL(folder).href, capabilities: {} });
    editor.#send({ method: 'initialized', params: {} });
    return editor;
  }

  /** What is offered at the `|` in a file's text. */
  async completions(text: string): Promise<string[]> {
    const offset = text.indexOf('|');
    const before = text.slice(0, offset).split('\n');
    const textDocument = this.#show(before.join('\n') + text.slice(offset + 1));
    const position = { line: before.length - 1, character: before.at(-1)?.length ?? 0 };
    const result = await this.#ask('textDocument/completion', { textDocument, position });
    return (result as { items: { label: string }[] }).items.map(({ label }) => label.replace(/\?$/, ''));
  }

  /** What is underlined in a file's text. */
  async problems(text: string): Promise<string[]> {
    const textDocument = this.#show(text);
    const result = await this.#ask('textDocument/diagnostic', { textDocument });
    return (result as { items: { message: string; severity: number }[] }).items
      .filter(({ severity }) => severity === 1)
      .map(({ message }) => message);
  }

  close(): void {
    this.#server.kill();
  }

  #show(text: string): { uri: string } {
    const uri = pathToFileURL(path.join(this.#folder, `file${this.#last}.ts`)).href;
    this.#send({
      method: 'textDocument/didOpen',
      params: { textDocument: { uri, languageId: 'typescript', version: 1, text } },
    });
    return { uri };
  }

  #ask(method: string, params: unknown): Promise<unknown> {
    this.#last += 1;
    const id = this.#last;
    return new Promise((resolve, reject) => {
      this.#waiting.set(id, ({ result, error }) => (error ? reject(new Error(error.message)) : resolve(result)));
      this.#send({ id, method, params });
    });
  }

  #send(message: Message): void {
    const body = JSON.stringify({ jsonrpc: '2.0', ...message });
    this.#server.stdin.write(`Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }

  #receive(chunk: Buffer): void {
    this.#received = Buffer.concat([this.#received, chunk]);
    for (;;) {
      const headEnd = this.#received.indexOf('\r\n\r\n');
      const length = Number(/Content-Length: (\d+)/.exec(this.#received.toString('latin1', 0, headEnd))?.[1]);
      const end = headEnd + 4 + length;
      if (headEnd < 0 || this.#received.length < end) return;
      this.#take(JSON.parse(this.#received.toString('utf8', headEnd + 4, end)));
      this.#received = this.#received.subarray(end);
    }
  }

  #take(message: Message): void {
    const { id, method } = message;
    // The server asks for settings and the like: there are none.
    if (method !== undefined && id !== undefined) this.#send({ id, result: null });
    else this.#waiting.get(id)?.(message);
  }
}
