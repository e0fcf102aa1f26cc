import assert from 'node:assert/strict';
import { it } from 'node:test';
import { cpuMs } from '../process-stats.ts';

/** What is told in steps of 10 ms, twice, and what this test does in between. */
const SLACK_MS = 60;

it('the processor time of a process is what Node says of itself', () => {
  const told = () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1_000;
  };
  const before = [told(), cpuMs(process.pid)] as const;
  while (told() - before[0] < 200) Math.sqrt(2);
  const [byNode, byLinux] = [told() - before[0], cpuMs(process.pid) - before[1]];
  assert.ok(Math.abs(byNode - byLinux) <= SLACK_MS, `${byNode} ms by Node, ${byLinux} ms by Linux`);
});
