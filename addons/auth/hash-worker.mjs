/**
 * Checks passwords against hashes in a thread of its own, since a bcrypt takes as long as thousands of requests. It is
 * JavaScript, because a thread begins with a file that Node can run, whatever has compiled the addon.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { parentPort } from 'node:worker_threads';
import apr1 from 'apache-md5';
import bcrypt from 'bcryptjs';

/** @type {(password: string, hash: string) => string} what the hash is if the password is right */
function rehash(password, hash) {
  if (hash.startsWith('{SHA}')) return `{SHA}${createHash('sha1').update(password).digest('base64')}`;
  // It takes each character of its argument for a byte.
  if (hash.startsWith('$apr1$')) return apr1(Buffer.from(password).toString('latin1'), hash);
  // Cost and salt are as given: the last letter of a salt can be written in several ways.
  return hash.slice(0, 29) + bcrypt.hashSync(password, hash.slice(0, 29)).slice(29);
}

parentPort?.on('message', ({ password, hash }) => {
  const expected = Buffer.from(hash);
  const actual = Buffer.from(rehash(password, hash));
  parentPort?.postMessage(actual.length === expected.length && timingSafeEqual(actual, expected));
});
