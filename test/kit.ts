/**
 * A kit for tests of addons, given to authors as `insight-dump/testing`. It runs an addon's hooks over flows without a
 * proxy, a port or a network.
 *
 * @module
 */
export { type AddonTest, type MessageGiven, type TestOptions, testAddon, testScript } from './kit/addon-test.ts';
export type { Arrived, Outcome } from './kit/flow-run.ts';
export { type LogLine, MemoryLog } from './kit/memory-log.ts';
export { type ScriptTest, tempScript } from './kit/script-test.ts';
export {
  type BodyGiven,
  type FlowParts,
  type HeadersGiven,
  makeFlow,
  makeTunnel,
  type TestFlow,
} from './kit/test-flow.ts';
