/** What `import … from 'insight-dump'` gives an addon. */
export * from './addon.ts';
export { type Insight, insightOf, isoMicros, recordOf, type UsageRecord } from './copilot/record.ts';
export { COPILOT_HOSTS, COPILOT_TELEMETRY_HOSTS } from './engine/hosts.ts';
export { codeOf, messageOf } from './errors.ts';
export { describePath } from './stack.ts';
export { Stamps } from './stamps.ts';
export { writeWholeFile } from './whole-file.ts';
