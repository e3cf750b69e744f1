import assert from 'node:assert/strict';
import { codeOf } from '../../base/errors.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { ServeGate } from './serve-gate.js';

describe('the gate before the materialized index', () => {
  it('R4 nothing is served before the materialized index is applied, neither after a restart nor after a snapshot', async () => {
    const gate = new ServeGate(new ManualClock(), 1_000, 20);
    gate.applied(10);
    const early = gate.wait();
    assert.ok(early && !gate.isOpen);
    gate.applied(20);
    await early;
    assert.equal(gate.wait(), undefined);
    gate.install(50);
    gate.applied(40);
    assert.ok(gate.wait());
    gate.applied(50);
    assert.ok(gate.isOpen);
  });

  it('R4 a version that begins before what was served opens only past it', () => {
    const gate = new ServeGate(new ManualClock(), 1_000, 20);
    gate.applied(60);
    gate.install(50);
    gate.applied(40);
    gate.applied(55);
    assert.ok(!gate.isOpen, 'past the materialized index, but readers have seen 60');
    gate.applied(60);
    assert.ok(gate.isOpen);
  });

  it('a request waits no longer than its time-out, and not beyond the end', async () => {
    const clock = new ManualClock();
    const gate = new ServeGate(clock, 1_000, 20);
    const slow = gate.wait();
    clock.advance(600);
    const last = gate.wait();
    clock.advance(600);
    gate.tick();
    await assert.rejects(slow as Promise<void>, (error) => codeOf(error) === 'TIMEOUT_WAIT_APPLIED');
    gate.stop();
    await assert.rejects(last as Promise<void>, (error) => codeOf(error) === 'STOPPED');
    await assert.rejects(gate.wait() as Promise<void>, (error) => codeOf(error) === 'STOPPED');
  });
});
