/** What `import … from 'insight-dump'` gives an addon. */
export * from './addon.ts';
export { type Insight, insightOf, isoMicros, recordOf, type UsageRecord } from './copilot/record.ts';
export {
  jsonName,
  NAMED_BESIDE_MS,
  ndjsonName,
  type RecordFile,
  readRecordName,
  recordFiles,
  recordFolder,
} from './copilot/record-files.ts';
export { type RecordRange, readRecords, type UsageRecords } from './copilot/record-reader.ts';
export { COPILOT_HOSTS, COPILOT_TELEMETRY_HOSTS } from './engine/hosts.ts';
export { codeOf, messageOf } from './errors.ts';
export { CREDENTIALS, type CredentialPattern } from './redact.ts';
export { describePath } from './stack.ts';
export { Stamps } from './stamps.ts';
