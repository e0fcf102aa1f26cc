import path from 'node:path';
import { build } from 'esbuild';
import { ROOT } from '../proxy-process.ts';
import { Child } from './child.ts';

/** Beside `node_modules`, so that packages are found from there. */
const BUNDLES = path.join(ROOT, 'dist/bench');

/** Programs that run as processes of their own: as plain JavaScript, so that nothing of a compiler is measured. */
export async function buildPrograms(): Promise<void> {
  await build({
    entryPoints: ['server', 'minimal-proxy', 'mockttp-proxy', 'probe'].map((name) =>
      path.join(import.meta.dirname, `${name}.ts`),
    ),
    outdir: BUNDLES,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    packages: 'external',
    logLevel: 'warning',
  });
}

/** Where a program has been built to. */
export function programFile(name: string): string {
  return path.join(BUNDLES, `${name}.mjs`);
}

/** Starts a program of ours. */
export function startProgram(name: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): Child {
  return new Child(process.execPath, [programFile(name), ...args], { env });
}
