import path from 'node:path';

/**
 * The names that addons go by when they do not say one: their script's file name, `index` as its folder; with as many
 * folders before it as it takes to tell scripts of the same name apart (`audit/tag`, `billing/tag`).
 */
export function nameScripts(files: readonly string[]): string[] {
  const parts = files.map((file) => {
    const segments = file.replace(/\.[cm]?[jt]sx?$/, '').split(path.sep);
    return segments.at(-1) === 'index' ? segments.slice(0, -1) : segments;
  });
  const nameOf = (segments: readonly string[], depth: number) => segments.slice(-depth).join('/');
  return parts.map((segments) => {
    let depth = 1;
    const others = parts.filter((other) => other !== segments);
    while (depth < segments.length && others.some((other) => nameOf(other, depth) === nameOf(segments, depth)))
      depth += 1;
    return nameOf(segments, depth);
  });
}
