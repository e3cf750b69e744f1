import assert from 'node:assert/strict';
import { ManualClock } from '../../base/testing/manual-clock.js';
import { decodeLogRecord } from '../entry/entry.js';
import { Alarms } from '../kv/alarms.js';
import { AlarmKeeper, type AlarmKeeperParts } from './alarm-keeper.js';

class Bench {
  readonly clock = new ManualClock();
  readonly alarms = new Alarms();
  readonly keeper: AlarmKeeper;
  version = 2;
  leads = true;
  bytes = 0;
  compactRevision = 0;
  applied = 0;
  /** Up to where data was asked to be flushed, each time. */
  readonly flushed: number[] = [];
  /** By member, of three; undefined: nothing is known. */
  short: (boolean | undefined)[] = [false, false, false];
  /** By member, as above. */
  lost: (boolean | undefined)[] = [false, false, false];

  constructor(quotaBytes: number) {
    const known = (what: boolean): number[] => [1, 2, 3].filter((id) => this.short[id - 1] === what);
    const self = (): Bench => this;
    const parts: AlarmKeeperParts = {
      env: { clock: this.clock },
      leadership: { self: 1, get mayShapeTree() { return self().leads; } },
      state: { alarms: this.alarms, kv: kvOf(this), get version() { return self().version; } },
      rooms: {
        short: () => known(true), subscribe: () => undefined,
        withLosses: () => [1, 2, 3].filter((id) => this.lost[id - 1] === true),
        hasLost: (id) => (id <= 3 ? this.lost[id - 1] : false),
        get quorumHasRoom() { return known(false).length >= 2; },
        get quorumIsShort() { return known(true).length >= 2; },
      },
      size: { bytes: () => this.bytes },
      progress: { applied: { get value() { return self().applied; } } },
      planner: { flush: (through) => this.flushed.push(through) },
      driver: {
        proposeAsLeader: (data) => {
          assert.ok(data instanceof Uint8Array);
          const record = decodeLogRecord(data);
          if (record.kind === 'alarm') this.alarms.apply(record.change);
          return true;
        },
      },
    };
    this.keeper = new AlarmKeeper(parts, quotaBytes);
  }

  /** The members under alarm afterwards. */
  look(): number[] {
    this.clock.advance(5_000);
    this.keeper.tick();
    return this.alarms.list().map(({ member }) => member);
  }
}

function kvOf(bench: Bench): AlarmKeeperParts['state']['kv'] {
  return { get compactRevision() { return bench.compactRevision; }, leases: { systemKeys: 0 } } as AlarmKeeperParts['state']['kv'];
}

describe('the alarm keeper', () => {
  it('C1 raises NOSPACE when no quorum has room, for those that have none, and takes it back when a quorum is known to have some', () => {
    const bench = new Bench(0);
    bench.short = [true, false, false];
    assert.deepEqual(bench.look(), []);
    bench.short = [true, false, true];
    bench.version = 1;
    assert.deepEqual(bench.look(), [], 'a member of the first version could not read it');
    bench.version = 2;
    bench.leads = false;
    assert.deepEqual(bench.look(), [], 'the leader alone');
    bench.leads = true;
    assert.deepEqual(bench.look(), [1, 3]);
    bench.short = [true, false, undefined];
    assert.deepEqual(bench.look(), [1, 3], 'who says nothing is not known to have room');
    bench.short = [true, false, false];
    assert.deepEqual(bench.look(), []);
  });

  it('C1 raises it by quota, and takes it back well below', () => {
    const bench = new Bench(1_000);
    bench.bytes = 999;
    assert.deepEqual(bench.look(), []);
    bench.bytes = 1_000;
    assert.deepEqual([bench.look(), bench.look()], [[1], [1]]);
    bench.bytes = 900;
    assert.deepEqual(bench.look(), [1]);
    bench.bytes = 899;
    assert.deepEqual(bench.look(), []);
  });

  it('D1 raises CORRUPT for each member that knows of a lost block, takes it back when that says otherwise, and refuses nothing for it', () => {
    const bench = new Bench(0);
    bench.lost = [false, true, undefined];
    assert.deepEqual([bench.look(), bench.look()], [[2], [2]]);
    assert.ok(!bench.alarms.noSpace);
    bench.lost = [true, undefined, undefined];
    assert.deepEqual(bench.look(), [1, 2], 'who says nothing has not said that a copy came back');
    bench.lost = [true, false, undefined];
    assert.deepEqual(bench.look(), [1]);
    bench.alarms.apply({ action: 'raise', member: 3, type: 'CORRUPT', byItself: false });
    bench.alarms.apply({ action: 'raise', member: 9, type: 'CORRUPT', byItself: true });
    bench.lost = [false, false, false];
    assert.deepEqual(bench.look(), [3], 'an operator\'s stays; that of a removed member goes');
  });

  it('C1 under the alarm each Compact has what was deleted flushed: nothing else would fill the memtable that keeps it', () => {
    const bench = new Bench(1_000);
    bench.bytes = 1_000;
    bench.compactRevision = 3;
    bench.applied = 7;
    bench.look();
    bench.look();
    assert.deepEqual(bench.flushed, [7], 'of what was compacted before, too, and once');
    [bench.compactRevision, bench.applied] = [5, 9];
    bench.look();
    bench.look();
    assert.deepEqual(bench.flushed, [7, 9]);
    bench.bytes = 0;
    bench.look();
    bench.compactRevision = 6;
    bench.look();
    assert.deepEqual(bench.flushed, [7, 9], 'without an alarm writes fill it up');
  });

  it('an operator\'s alarm stays, whatever there is room for', () => {
    const bench = new Bench(1_000);
    bench.alarms.apply({ action: 'raise', member: 2, type: 'NOSPACE', byItself: false });
    bench.bytes = 2_000;
    assert.deepEqual(bench.look(), [2], 'one is enough');
    bench.bytes = 0;
    assert.deepEqual(bench.look(), [2]);
  });
});
