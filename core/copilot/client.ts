import type { CopilotExchange, HeaderList } from '../addon.ts';
import { redact } from '../redact.ts';
import { MAX_WORD_LENGTH } from './answer.ts';

/**
 * Who asks: editor and plugin with their versions, and what kind of client it is. `Copilot-Integration-Id` is no editor:
 * the language server says `jetbrains-chat` in each of them.
 */
export function clientOf(headers: HeaderList): Pick<CopilotExchange, 'editor' | 'plugin' | 'surface'> {
  const editor = headers.get('editor-version') ?? cliOf(headers);
  const plugin = headers.get('editor-plugin-version');
  return {
    editor: wordOf((editor ?? '-').replaceAll('/', '-')),
    plugin: plugin === undefined ? undefined : wordOf(plugin),
    surface: surfaceOf(headers),
  };
}

/** What clients say ends up in the names of files. */
function wordOf(text: string): string {
  return redact(text.slice(0, MAX_WORD_LENGTH));
}

/** Copilot's command line names itself in `User-Agent` only: `copilot/1.0.2 (…)`. */
function cliOf(headers: HeaderList): string | undefined {
  return /^copilot\/[\w.-]+/i.exec(headers.get('user-agent') ?? '')?.[0];
}

function surfaceOf(headers: HeaderList): CopilotExchange['surface'] {
  const integration = headers.get('copilot-integration-id') ?? '';
  if (/(^|-)cli(-|$)/.test(integration)) return 'cli';
  if (/(^|-)(agent|swe)(-|$)/.test(integration)) return 'agent';
  if (headers.has('editor-version')) return 'ide';
  return cliOf(headers) === undefined ? 'unknown' : 'cli';
}
