import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import { options } from '../../../addons/auth/options.ts';
import { addUser, setPassword, type UsersContext } from '../../../addons/auth/user-edits.ts';
import { makeFolder } from '../../proxy-process.ts';

describe('an edit of users', () => {
  it('takes no password that bcrypt would cut', async (t) => {
    const folder = makeFolder();
    t.after(() => rmSync(folder, { recursive: true }));
    const ctx: UsersContext = {
      options: options.parse({ htpasswd: 'users' }),
      paths: { logs: path.join(folder, 'logs'), confdir: folder, config: folder },
      listen: { host: '127.0.0.1', port: 8080 },
      usage: (message) => new Error(message),
    };
    await addUser(ctx, 'alice', []);
    await setPassword(ctx, 'alice', 'x'.repeat(72));
    await assert.rejects(setPassword(ctx, 'alice', 'ä'.repeat(37)), /longer than the 72 bytes that bcrypt takes/);
  });
});
