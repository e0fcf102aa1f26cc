import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { runInNewContext } from 'node:vm';
import { passedOn } from '../../../core/engine/young-garbage.ts';
import { eventually } from '../../proxy-process.ts';

const MIB_BYTES = 1024 ** 2;
const PIECE_BYTES = 64 * 1024;

/** As pieces of a body that have been passed on: nobody holds them. */
function leave(bytes: number): void {
  for (let left = bytes; left > 0; left -= PIECE_BYTES) Buffer.alloc(PIECE_BYTES);
}

const heldMiB = () => process.memoryUsage().arrayBuffers / MIB_BYTES;

describe('what bodies leave behind', () => {
  it('is collected once much has been passed on, and not before', async () => {
    leave(24 * MIB_BYTES);
    const leftMiB = heldMiB();
    passedOn(MIB_BYTES);
    assert.ok(heldMiB() >= leftMiB, `${leftMiB} MiB, then ${heldMiB()}`);
    passedOn(16 * MIB_BYTES);
    await eventually(
      () => `less than ${leftMiB} MiB; it is ${heldMiB()}`,
      () => heldMiB() < leftMiB / 2,
    );
  });

  it('is collected by nobody else: others are not shown how', () => {
    passedOn(16 * MIB_BYTES);
    assert.equal(globalThis.gc, undefined);
    assert.equal(runInNewContext('typeof gc'), 'undefined');
  });
});
