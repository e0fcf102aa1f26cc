/** The types of the published package: what scripts import, and what the shipped addons declare of their options. */
export type * from '../addons/auth.ts';
export type * from '../addons/budgets.ts';
export type * from '../addons/filter.ts';
export type * from '../addons/metrics.ts';
export type * from '../addons/privacy.ts';
export type * from '../addons/telemetry.ts';
export type * from '../addons/usage.ts';
export * from './index.ts';
