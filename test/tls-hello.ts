/** TLS ClientHellos, byte by byte (RFC 8446, sections 4.1.2 and 5.1). */

/** A vector: its length in so many bytes, and its content. */
export function vector(lengthBytes: number, ...parts: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(parts);
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(content.length, 0, lengthBytes);
  return Buffer.concat([length, content]);
}

export function extension(type: number, content: Uint8Array): Buffer {
  return Buffer.concat([Uint8Array.of(type >> 8, type & 0xff), vector(2, content)]);
}

/** RFC 6066, section 3. */
export function serverNameExtension(name: string): Buffer {
  return extension(0, vector(2, Uint8Array.of(0), vector(2, Buffer.from(name, 'latin1'))));
}

/** The handshake message, with these extensions; without any, it ends before them. */
export function helloMessage(...extensions: readonly Uint8Array[]): Buffer {
  const body = [
    Buffer.alloc(2 + 32, 3),
    vector(1, Buffer.alloc(32)),
    vector(2, Uint8Array.of(0x13, 0x01)),
    vector(1, Uint8Array.of(0)),
    ...(extensions.length === 0 ? [] : [vector(2, ...extensions)]),
  ];
  return Buffer.concat([Uint8Array.of(1), vector(3, ...body)]);
}

/** A handshake message in as many records as it is given parts. */
export function inRecords(...parts: readonly Uint8Array[]): Buffer {
  return Buffer.concat(parts.flatMap((part) => [Uint8Array.of(22, 3, 1), vector(2, part)]));
}
