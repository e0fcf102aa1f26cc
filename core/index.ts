/** What `import … from 'insight-dump'` gives an addon. */
export * from './addon.ts';
export type { UsageKind } from './copilot/endpoint.ts';
export { type Choice, type CopilotExchange, copilotExchange } from './copilot/exchange.ts';
export { COPILOT_HOSTS, COPILOT_TELEMETRY_HOSTS } from './engine/hosts.ts';
export { writeWholeFile } from './whole-file.ts';
