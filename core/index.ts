/** What `import … from 'insight-dump'` gives an addon. */
export * from './addon.ts';
export { putBounded } from './bounded.ts';
export { type Endpoint, endpointOf, type NoUse, recognize } from './copilot/endpoint.ts';
export { type Insight, isoMicros, recordOf, type UsageRecord } from './copilot/record.ts';
export {
  jsonName,
  NAMED_BESIDE_MS,
  ndjsonName,
  type RecordFile,
  type RecordRange,
  readRecordName,
  recordFiles,
  recordFolder,
  telemetryFile,
  telemetryFiles,
} from './copilot/record-files.ts';
export { readRecords, type UsageRecords } from './copilot/record-reader.ts';
export { bareEvent } from './copilot/telemetry.ts';
export { COPILOT_HOSTS, COPILOT_TELEMETRY_HOSTS } from './engine/hosts.ts';
export { codeOf, messageOf } from './errors.ts';
export { aligned, printable } from './printable.ts';
export { CREDENTIALS, type CredentialPattern, redact } from './redact.ts';
export { describePath } from './stack.ts';
export { Stamps } from './stamps.ts';
export { around, dateIn, isDate, isTimeZone, nextDayMs } from './time-zone.ts';
export { writeWholeFile } from './whole-file.ts';
