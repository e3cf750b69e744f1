import assert from 'node:assert/strict';
import { codeOf } from '../../base/errors.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { MemberState } from '../state/testing/member-state.js';
import { ReadIndex } from './read-index.js';

function make(incarnation: number, maxWaiting = 100): { clock: ManualClock; asked: Uint8Array[]; reads: ReadIndex } {
  const clock = new ManualClock();
  const asked: Uint8Array[] = [];
  const { leadership } = new MemberState(3);
  const reads = new ReadIndex(
    { clock, leadership, driver: { readIndex: (context) => void asked.push(context) } },
    { incarnation, timeoutMs: 1_000, retryMs: 250, maxWaiting },
  );
  return { clock, asked, reads };
}

async function isDone(promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), new Promise<boolean>((resolve) => setImmediate(() => resolve(false)))]);
}

describe('read index rounds', () => {
  it('R4 the answer to what an earlier incarnation asked confirms nothing', async () => {
    const before = make(4);
    before.reads.wait().catch(() => undefined);
    before.clock.advance(0);
    const after = make(5);
    const read = after.reads.wait();
    after.clock.advance(0);
    after.reads.readStates([{ index: 0, context: before.asked[0] as Uint8Array }]);
    assert.equal(await isDone(read), false);
    after.reads.readStates([{ index: 0, context: after.asked[0] as Uint8Array }]);
    assert.equal(await isDone(read), true);
  });

  it('R4 a read that came after a round was asked for waits for the next', async () => {
    const { clock, asked, reads } = make(1);
    const first = reads.wait();
    clock.advance(0);
    const second = reads.wait();
    reads.readStates([{ index: 0, context: asked[0] as Uint8Array }]);
    assert.equal(await isDone(first), true);
    assert.equal(await isDone(second), false);
    reads.readStates([{ index: 0, context: asked[1] as Uint8Array }]);
    assert.equal(await isDone(second), true);
  });

  it('R4 a confirmed read waits until its index is applied', async () => {
    const { clock, asked, reads } = make(1);
    const read = reads.wait();
    clock.advance(0);
    reads.readStates([{ index: 9, context: asked[0] as Uint8Array }]);
    reads.applied(8);
    assert.equal(await isDone(read), false);
    reads.applied(9);
    assert.equal(await isDone(read), true);
  });

  it('reads that timed out, in whatever state, make room for others', async () => {
    const { clock, asked, reads } = make(1, 3);
    const confirmed = reads.wait();
    clock.advance(0);
    reads.readStates([{ index: 9, context: asked[0] as Uint8Array }]);
    const asking = reads.wait();
    clock.advance(0);
    const next = reads.wait();
    await assert.rejects(reads.wait(), (error) => codeOf(error) === 'TOO_MANY_REQUESTS');
    clock.advance(1_000);
    reads.tick();
    await assert.rejects(confirmed, (error) => codeOf(error) === 'TIMEOUT_WAIT_APPLIED');
    await assert.rejects(asking, (error) => codeOf(error) === 'TIMEOUT');
    await assert.rejects(next, (error) => codeOf(error) === 'TIMEOUT');
    const again = [reads.wait(), reads.wait(), reads.wait()];
    reads.stop();
    for (const read of again) await assert.rejects(read, (error) => codeOf(error) === 'STOPPED');
  });
});
