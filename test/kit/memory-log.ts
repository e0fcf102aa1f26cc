import type { Log } from '../../core/addon.ts';
import type { ChildLog } from '../../core/log.ts';

export interface LogLine {
  readonly level: 'debug' | 'info' | 'warn' | 'error';
  readonly addon: string | undefined;
  readonly message: string;
}

/** A log that remembers. */
export class MemoryLog implements ChildLog {
  readonly lines: LogLine[] = [];

  child(addon?: string): Log {
    const write = (level: LogLine['level']) => (message: string) => void this.lines.push({ level, addon, message });
    return { debug: write('debug'), info: write('info'), warn: write('warn'), error: write('error') };
  }

  /** Messages of these levels. */
  of(...levels: readonly LogLine['level'][]): string[] {
    return this.lines.filter(({ level }) => levels.includes(level)).map(({ message }) => message);
  }
}
