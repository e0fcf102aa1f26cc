/** Reads what came back on a connection, and takes nothing for HTTP/1.1 that is not (RFC 9112). */

export interface RawAnswer {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
  /** False where the connection, or what has come so far, ends within it. */
  readonly whole: boolean;
}

const START = 'HTTP/1.1 ';
const HEAD =
  /^HTTP\/1\.1 ([1-5]\d\d) ([\t\x20-\x7e\x80-\xff]*)\r\n((?:[!#$%&'*+\-.^_`|~\w]+:[\t\x20-\x7e\x80-\xff]*\r\n)*)\r\n/;
/**
 * The answers in a row of bytes, as Latin-1; what follows the head that opens a tunnel is left out.
 *
 * @throws where it is no HTTP/1.1
 */
export function readAnswers(bytes: string): RawAnswer[] {
  const answers: RawAnswer[] = [];
  let rest = bytes;
  while (rest !== '') {
    const head = HEAD.exec(rest);
    if (head === null) {
      if (START.startsWith(rest.slice(0, START.length)) && !rest.includes('\r\n\r\n')) return answers;
      throw new Error(`no HTTP: ${JSON.stringify(rest.slice(0, 200))}\nafter ${answers.length} answers`);
    }
    const [all, status = '', , fields = ''] = head;
    const headers = new Map(
      fields
        .split('\r\n')
        .slice(0, -1)
        .map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]),
    );
    const { body, length, whole } = readBody(rest.slice(all.length), Number(status), headers);
    answers.push({ status: Number(status), headers, body, whole });
    rest = rest.slice(all.length + length);
  }
  return answers;
}

/** A body, how many bytes it takes, and whether they are all here. */
function readBody(
  bytes: string,
  status: number,
  headers: ReadonlyMap<string, string>,
): { body: string; length: number; whole: boolean } {
  // To HEAD, an answer has the length of a body, and none: then the next one begins here.
  if (bytes.startsWith(START)) return { body: '', length: 0, whole: true };
  if (headers.has('transfer-encoding')) return readChunks(bytes);
  const length = headers.get('content-length');
  if (length !== undefined) {
    const body = bytes.slice(0, Number(length));
    return { body, length: body.length, whole: body.length === Number(length) };
  }
  const isFinal = status >= 200 && status !== 204 && status !== 304;
  // Of a tunnel, all that follows is the other end's; of another answer without a length, all is its body.
  if (status === 101 || isFinal) return { body: status === 200 ? '' : bytes, length: bytes.length, whole: true };
  return { body: '', length: 0, whole: true };
}

function readChunks(bytes: string): { body: string; length: number; whole: boolean } {
  let body = '';
  let place = 0;
  for (;;) {
    const [line, digits] = /^([0-9a-fA-F]+)\r\n/.exec(bytes.slice(place)) ?? [];
    if (line === undefined) {
      if (bytes.length - place > 10) throw new Error(`no chunk: ${JSON.stringify(bytes.slice(place, place + 200))}`);
      return { body, length: bytes.length, whole: false };
    }
    const size = Number.parseInt(digits as string, 16);
    place += line.length;
    body += bytes.slice(place, place + size);
    place += size;
    if (bytes.length < place + 2) return { body, length: bytes.length, whole: false };
    if (!bytes.startsWith('\r\n', place)) throw new Error(`no end of a chunk at ${place}`);
    place += 2;
    if (size === 0) return { body, length: place, whole: true };
  }
}
