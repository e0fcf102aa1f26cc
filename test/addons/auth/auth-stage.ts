/** The auth addon in a folder of its own, to ask things of. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach } from 'node:test';
import auth from '../../../addons/auth.ts';
import type { TunnelRequest } from '../../../core/tunnel.ts';
import { basic } from '../../clients.ts';
import { type AddonTest, makeTunnel, testAddon } from '../../kit.ts';
import { makeFolder } from '../../proxy-process.ts';

export class AuthStage {
  readonly folder = makeFolder();
  readonly #tests: AddonTest[] = [];

  async start(options: object): Promise<AddonTest> {
    const { folder } = this;
    const test = await testAddon(auth, { options: { ...options }, logs: folder, confdir: folder, config: folder });
    this.#tests.push(test);
    return test;
  }

  path(file: string): string {
    return path.join(this.folder, file);
  }

  write(file: string, text: string | object): void {
    writeFileSync(this.path(file), typeof text === 'string' ? text : JSON.stringify(text));
  }

  read(file: string): string {
    return readFileSync(this.path(file), 'utf8');
  }

  password(user: string): string {
    return JSON.parse(this.read('user_auth.json'))[user];
  }

  /** Ends every addon that was started. */
  async stop(): Promise<void> {
    for (const test of this.#tests.splice(0)) await test.stop();
  }

  async close(): Promise<void> {
    await this.stop();
    rmSync(this.folder, { recursive: true });
  }
}

/** Sets a stage for each test of a `describe`. */
export function setAuthStage(use: (stage: AuthStage) => void): void {
  let stage: AuthStage;
  beforeEach(() => {
    stage = new AuthStage();
    use(stage);
  });
  afterEach(() => stage.close());
}

/** Asks for a tunnel with these credentials, or none. */
export function ask(
  test: AddonTest,
  credentials?: readonly [user: string, password: string],
  address = '10.0.0.1',
): Promise<TunnelRequest> {
  const headers = credentials === undefined ? {} : { 'Proxy-Authorization': basic(...credentials) };
  return test.connect(makeTunnel({ address, headers }));
}
