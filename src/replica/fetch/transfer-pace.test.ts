import assert from 'node:assert/strict';
import { MiB } from '../../base/bytes.js';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { TransferPace } from './transfer-pace.js';

const LIMIT = 64 * MiB;
const FLOOR = 4 * MiB;

interface Weather {
  /** Of each sync. */
  readonly syncMs?: number;
  readonly lateMs?: number;
  readonly inFlightMs?: number;
  readonly moves?: boolean;
  /** Processors. */
  readonly idle?: number;
  /** Every 50 ms. */
  readonly bytes?: number;
}

describe('the pace of transfers', () => {
  let clock: ManualClock;
  let pace: TransferPace;
  let syncs: number;
  let syncsMs: number;
  let asked: number;

  beforeEach(() => {
    clock = new ManualClock();
    pace = new TransferPace(clock, LIMIT);
    syncs = syncsMs = asked = 0;
  });

  function pass(ms: number, { syncMs, lateMs = 0, inFlightMs = 0, moves = true, idle, bytes = LIMIT / 20 }: Weather): void {
    for (const end = clock.now() + ms; clock.now() < end; ) {
      clock.advance(50);
      if (syncMs !== undefined) syncsMs += syncMs * 4;
      if (syncMs !== undefined) syncs += 4;
      if (moves) void pace.out.take(bytes);
      pace.look(lateMs, { syncs, syncsMs, inFlightMs }, () => (asked++, idle));
    }
  }

  it('is the limit where disk and event loop are as they are without a transfer', () => {
    pass(10_000, { syncMs: 3, moves: false });
    pass(10_000, { syncMs: 5, lateMs: 10 });
    assert.equal(pace.bytesPerSecond, LIMIT);
  });

  it('falls while syncs take longer than before it, whatever that was, to a floor, and rises again', () => {
    for (const usual of [1, 40]) {
      pass(20_000, { syncMs: usual, moves: false });
      pass(500, { syncMs: 3 * usual + 5 });
      assert.ok(pace.bytesPerSecond < LIMIT, `${usual} ms`);
      pass(10_000, { syncMs: 3 * usual + 5 });
      assert.equal(pace.bytesPerSecond, FLOOR);
      pass(4_000, { syncMs: usual });
      assert.ok(pace.bytesPerSecond > FLOOR && pace.bytesPerSecond < LIMIT, 'by steps');
      pass(5_000, { syncMs: usual });
      assert.equal(pace.bytesPerSecond, LIMIT);
    }
  });

  it('falls while a sync does not return, and while timers are late', () => {
    pass(5_000, { syncMs: 2, moves: false });
    pass(5_000, { inFlightMs: 300 });
    assert.equal(pace.bytesPerSecond, FLOOR);
    pass(10_000, { syncMs: 2 });
    assert.equal(pace.bytesPerSecond, LIMIT);
    pass(5_000, { syncMs: 2, lateMs: 30 });
    assert.equal(pace.bytesPerSecond, FLOOR);
  });

  it('falls from what was moved while the processors of the machine have no time left, to the floor', () => {
    pass(1_000, { idle: 0.25 });
    assert.equal(pace.bytesPerSecond, LIMIT);
    pass(500, { idle: 0.24, bytes: MiB });
    assert.equal(pace.bytesPerSecond, Math.round(0.7 * 20 * MiB), 'of 20 MiB/s');
    pass(5_000, { idle: 0, bytes: MiB });
    assert.equal(pace.bytesPerSecond, FLOOR);
    pass(500, { idle: 1 });
    assert.ok(pace.bytesPerSecond > FLOOR && pace.bytesPerSecond < LIMIT, 'by steps');
    const asks = asked;
    pass(5_000, { idle: 0, moves: false });
    assert.equal(asked, asks, 'nobody asks the system while nothing is moved');
  });

  it('is the floor at once where a sync that was quick before does not return while tables are moved', () => {
    pass(5_000, { syncMs: 2, moves: false });
    pass(50, { inFlightMs: 99 });
    assert.equal(pace.bytesPerSecond, LIMIT);
    pass(50, { inFlightMs: 100 });
    assert.equal(pace.bytesPerSecond, FLOOR);
    pass(20_000, { syncMs: 40, moves: false });
    const slowDisk = pace.bytesPerSecond;
    pass(50, { inFlightMs: 150 });
    assert.equal(pace.bytesPerSecond, slowDisk, 'on a disk that is slow always it is no stall');
  });

  it('does not hang on what happens while nothing is moved, and a stall then is not taken for usual', () => {
    pass(10_000, { syncMs: 2, moves: false });
    pass(500, { syncMs: 2, inFlightMs: 4_000, lateMs: 500, moves: false });
    assert.equal(pace.bytesPerSecond, LIMIT);
    pass(1_000, { syncMs: 20 });
    assert.ok(pace.bytesPerSecond < LIMIT);
  });

  it('where the log is written anew by another queue, and without any write, it goes on', () => {
    pass(5_000, { syncMs: 2 });
    syncs = syncsMs = 0;
    pass(5_000, { syncMs: 2 });
    pass(5_000, {});
    assert.equal(pace.bytesPerSecond, LIMIT);
  });

  it('C1 a low limit is its own floor: a transfer always goes on', () => {
    const low = new TransferPace(clock, 4 * MiB);
    for (let i = 0; i < 100; i++) {
      clock.advance(100);
      void low.in.take(1_000);
      low.look(1_000, { syncs: 0, syncsMs: 0, inFlightMs: 60_000 });
    }
    assert.equal(low.bytesPerSecond, 4 * MiB);
  });

  it('both ways wait by it', () => {
    pass(5_000, { syncMs: 2, moves: false });
    pass(10_000, { syncMs: 200, bytes: 1_000 });
    clock.advance(1_000);
    for (const rate of [pace.in, pace.out]) {
      const timers = clock.timers;
      assert.equal(rate.take(2 * FLOOR), undefined);
      assert.ok(rate.take(1) instanceof Promise);
      clock.advance(1_800);
      assert.equal(clock.timers, timers + 1, 'two seconds\' worth at the floor');
      clock.advance(200);
      assert.equal(clock.timers, timers);
    }
  });
});
