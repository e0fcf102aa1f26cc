import { Duplex } from 'node:stream';
import tls from 'node:tls';

/** What a TLS client sends first. */
export function clientHello(servername: string): Promise<Buffer> {
  return new Promise((resolve) => {
    const socket = new Duplex({
      read() {},
      write(chunk: Buffer, _encoding, done) {
        resolve(chunk);
        done();
      },
    });
    tls.connect({ socket, servername }).on('error', () => {});
  });
}

const PLACEHOLDER = 'placeholder.example';

/** The same with whatever bytes for a name (RFC 8446, section 4.1.2; RFC 6066, section 3), which clients would refuse. */
export async function clientHelloNaming(name: Buffer): Promise<Buffer> {
  const hello = await clientHello(PLACEHOLDER);
  const at = hello.indexOf(PLACEHOLDER);
  const changed = Buffer.concat([hello.subarray(0, at), name, hello.subarray(at + PLACEHOLDER.length)]);
  const more = name.length - PLACEHOLDER.length;
  // Lengths of the record, the message, all extensions, this one, its list, and the name.
  for (const [offset, bytes] of [
    [3, 2],
    [6, 3],
    [extensionsAt(hello), 2],
    [at - 7, 2],
    [at - 5, 2],
    [at - 2, 2],
  ] as const) {
    changed.writeUIntBE(changed.readUIntBE(offset, bytes) + more, offset, bytes);
  }
  return changed;
}

/** Where the length of the extensions stands: after the version, random, session, ciphers and compressions. */
function extensionsAt(hello: Buffer): number {
  const session = 5 + 4 + 2 + 32;
  const ciphers = session + 1 + hello.readUInt8(session);
  const compressions = ciphers + 2 + hello.readUInt16BE(ciphers);
  return compressions + 1 + hello.readUInt8(compressions);
}
