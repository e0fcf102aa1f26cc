import type { Flow, Message } from './addon.ts';
import { isSecretHeader } from './redact.ts';

/** Bodies are cut at so many lines, unless all of them is asked for. */
const BODY_LINES = 512;

/**
 * A flow for the console, as much as `--flow-detail` asks for: 1 one line, 2 headers too, 3 bodies cut at 512 lines, 4
 * whole bodies.
 */
export function describeFlow(flow: Flow, detail: number): string {
  const { client, request, response, error, timings } = flow;
  const who = client.alias ?? `${client.user ?? 'anonymous'} ${client.address}`;
  const took = Math.round((timings.end ?? timings.start) - timings.start);
  const outcome =
    error === undefined
      ? `${response?.status} ${size(response?.body.size ?? 0)}`
      : `${response === undefined ? '' : `${response.status} `}${error.by} ${error.code}: ${error.message}`;
  const lines = [`🌐 ${who} ${request.method} ${request.url} << ${outcome} ${took}ms`];
  if (detail >= 2) lines.push(...describeMessage(request, detail));
  if (detail >= 2 && response !== undefined)
    lines.push(`<< ${response.status} ${response.statusText}`, ...describeMessage(response, detail));
  return lines.join('\n');
}

function describeMessage({ headers, body }: Message, detail: number): string[] {
  const lines = [...headers].map(([name, value]) => `    ${name}: ${isSecretHeader(name) ? '***' : value}`);
  if (detail < 3 || body.size === 0) return lines;
  const text = printable(body.text()).split('\n');
  const shown = detail === 3 ? text.slice(0, BODY_LINES) : text;
  const cut = text.length > shown.length ? [`    (cut, ${text.length} lines)`] : [];
  return [...lines, '', ...shown.map((line) => `    ${line}`), ...cut, ''];
}

/** Control characters would speak to the terminal instead of the reader. */
function printable(text: string): string {
  return text.replace(/(?![\n\t])\p{Cc}/gu, '·');
}

function size(bytes: number): string {
  if (bytes < 1_000) return `${bytes}b`;
  if (bytes < 1_000_000) return `${(bytes / 1_000).toFixed(1)}k`;
  return `${(bytes / 1_000_000).toFixed(1)}m`;
}
