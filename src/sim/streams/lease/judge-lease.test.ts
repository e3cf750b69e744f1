import assert from 'node:assert/strict';
import { EMPTY } from '../../../base/bytes.js';
import { encodeLeaseTime } from '../../../replica/entry/entry.js';
import type { OpRecord, Outcome } from '../../workload/history/history.js';
import type { Kv, Op } from '../../workload/history/operation.js';
import type { SimNode } from '../../cluster/sim-node.js';
import { judgeLease, LEASE_AFTER_END, LEASE_EARLY, LEASE_KEYS, LEASE_LOST, LEASE_REVISION, LEASE_TTL } from './judge-lease.js';
import { LateLeases } from './late-leases.js';
import { LeaseEnds, type Ended } from './lease-ends.js';
import { LeaseRecord } from './lease-record.js';
import { ServingTime } from './serving-time.js';

const S = 1_000_000;
const ended = (seconds: number, by: Ended['by'] = 'time', tookKeys = true): Ended => ({ atUs: seconds * S, revision: 10, tookKeys, by, node: 1 });

/** Of 5 s, granted at 10 s. */
function lease(): LeaseRecord {
  const record = new LeaseRecord(7, 5, 10 * S);
  record.grantedUs = 10.01 * S;
  return record;
}

function keptAlive(at: number, ttl = 5, revision = 9): LeaseRecord {
  const record = lease();
  record.keptAlive.push({ callUs: at * S, retUs: (at + 0.1) * S, ttl, revision, node: 2 });
  return record;
}

function operation(op: Op, from: number, to: number, outcome: Outcome): OpRecord {
  return { id: 1, client: 2_001, node: 1, op, callUs: from * S, life: 1, retUs: to * S, outcome, atRest: false };
}

function check(
  record: LeaseRecord, end: Ended | undefined, operations: readonly OpRecord[] = [], histories: readonly (readonly Kv[])[] = [],
): string | undefined {
  return judgeLease(record, end, operations, histories)?.check;
}

describe('the verdict on a lease', () => {
  it('objects to an end before the TTL has passed since it was granted, or since a keep-alive that was answered', () => {
    assert.equal(check(lease(), ended(15.1)), undefined);
    assert.equal(check(lease(), ended(14.9)), LEASE_EARLY);
    assert.equal(check(lease(), ended(11, 'client')), undefined);
    assert.equal(check(keptAlive(14), ended(18.9)), LEASE_EARLY);
    assert.equal(check(keptAlive(14), ended(19)), undefined);
    assert.equal(check(lease(), undefined), LEASE_LOST);
  });

  it('objects to a keep-alive that is answered although it was asked for after the end, and to one that misses what is there', () => {
    assert.equal(check(keptAlive(20), ended(15.1)), LEASE_AFTER_END);
    assert.equal(check(keptAlive(12), ended(11, 'client')), LEASE_AFTER_END);
    assert.equal(check(keptAlive(12, 0), ended(11, 'client')), undefined);
    assert.equal(check(keptAlive(12, 0), ended(15.1)), LEASE_LOST);
    assert.equal(check(keptAlive(12, 6), ended(18)), LEASE_TTL);
  });

  it('etcd#20615: objects to an answer that says the lease was there at the revision at which its keys went, or later', () => {
    assert.equal(check(keptAlive(14, 5, 9), ended(19.5)), undefined);
    for (const revision of [10, 11]) {
      assert.equal(check(keptAlive(14, 5, revision), ended(19.5)), LEASE_REVISION);
      assert.equal(check(keptAlive(14, 5, revision), ended(14.05, 'client')), LEASE_REVISION, 'revoked before it was answered');
      assert.equal(check(keptAlive(20, 0, revision), ended(19.5)), undefined, 'it says that it is gone');
      assert.equal(check(keptAlive(14, 5, revision), ended(19.5, 'time', false)), undefined, 'the revision is that of another write');
    }
  });

  it('is told whether keys went with a lease, if nothing is missing of the log', () => {
    const ends = new LeaseEnds();
    const revoke = (index: number, id: number, revision: number): Ended | undefined => {
      const data = encodeLeaseTime({ kind: 'lease-revoke', request: { id: BigInt(id) } });
      ends.applied(1, { kv: { revision } }, { term: 1, index, type: 'normal', data }, 5 * S);
      return ends.of(id);
    };
    ends.applied(1, { kv: { revision: 4 } }, { term: 1, index: 1, type: 'normal', data: EMPTY }, S);
    assert.deepEqual(revoke(2, 7, 5), { atUs: 5 * S, revision: 5, tookKeys: true, by: 'time', node: 1 });
    assert.equal(revoke(3, 8, 5)?.tookKeys, false);
    assert.equal(revoke(5, 9, 6)?.tookKeys, false);
    assert.equal(revoke(6, 10, 7)?.tookKeys, true);
  });

  it('objects to a time that is left which is more than was granted, less than was promised, or of one that is gone', () => {
    const told = (at: number, ttl: number, granted = 5): LeaseRecord => {
      const record = keptAlive(14);
      record.timeTold.push({ callUs: at * S, retUs: (at + 0.1) * S, ttl, granted, keys: [], node: 1 });
      return record;
    };
    assert.equal(check(told(15, 4), ended(20)), undefined);
    assert.equal(check(told(15, 3), ended(20)), undefined, 'rounded down, as it was 4 s when it was asked for');
    assert.equal(check(told(15, 2), ended(20)), LEASE_TTL);
    assert.equal(check(told(15, 7), ended(20)), LEASE_TTL);
    assert.equal(check(told(15, 4, 6), ended(20)), LEASE_TTL);
    assert.equal(check(told(15, -1, 0), ended(20)), LEASE_LOST);
    assert.equal(check(told(21, 0), ended(20)), LEASE_AFTER_END);
    assert.equal(check(told(21, -1, 0), ended(20)), undefined);
  });

  it('objects to a put that is refused while the lease is there, and to a revoke that is nowhere in the log', () => {
    const put: Op = { kind: 'put', key: 'k', value: 1, prevKv: false, lease: 7 };
    const refused: Outcome = { kind: 'refused', code: 'LEASE_NOT_FOUND' };
    assert.equal(check(lease(), ended(15.1), [operation(put, 12, 13, refused)]), LEASE_LOST);
    assert.equal(check(lease(), ended(15.1), [operation(put, 15, 15.2, refused)]), undefined);
    const revoke: Op = { kind: 'revoke', lease: 7 };
    const done: Outcome = { kind: 'answered', answer: { kind: 'revoke', revision: 10 } };
    assert.equal(check(lease(), ended(12, 'client'), [operation(revoke, 11, 12.1, done)]), undefined);
    assert.equal(check(lease(), ended(15.1), [operation(revoke, 11, 12.1, done)]), LEASE_LOST);
  });

  it('objects to a key that has the lease when it is gone, or comes to it later', () => {
    const kv = (mod: number, version: number, of = 7): Kv => ({ key: 'k', value: 1, create: 8, mod, version, lease: of });
    assert.equal(check(lease(), ended(15.1), [], [[kv(8, 1), kv(10, 0, 0)]]), undefined);
    assert.equal(check(lease(), ended(15.1), [], [[kv(8, 1), kv(9, 2, 0)]]), undefined);
    assert.equal(check(lease(), ended(15.1), [], [[kv(8, 1), kv(11, 0, 0)]]), LEASE_KEYS);
    assert.equal(check(lease(), ended(15.1), [], [[kv(8, 1)]]), LEASE_KEYS);
    assert.equal(check(lease(), ended(15.1), [], [[kv(12, 1), kv(13, 0, 0)]]), LEASE_KEYS);
  });
});

interface Leader {
  state: string;
  term: number;
  applied: number;
  last: number;
  open: boolean;
}

/** What is looked at of a node that leads. */
function leading(leader: Leader): SimNode {
  const process = { node: 1, alive: true, stalledUntilUs: 0 };
  const running = {
    process,
    replica: {
      leadership: { get mayShapeTree() { return leader.state === 'up'; }, get term() { return leader.term; } },
      applier: { get index() { return leader.applied; }, blockedBy: undefined },
      driver: { node: { get lastIndex() { return leader.last; } } },
      reads: { get open() { return leader.open; } },
    },
  };
  return { id: 1, lives: 1, get state() { return leader.state; }, running, process } as unknown as SimNode;
}

describe('a lease that is late', () => {
  const leader: Leader = { state: 'up', term: 1, applied: 1, last: 1, open: true };
  let nowUs: number;
  let time: ServingTime;
  let late: LateLeases;
  const gone = new Set<number>();

  function run(seconds: number): string[] {
    const all: string[] = [];
    for (let left = seconds * 4; left > 0; left--) {
      time.look((nowUs += 250_000));
      all.push(...late.look());
    }
    return all;
  }

  beforeEach(() => {
    Object.assign(leader, { state: 'up', term: 1, applied: 1, last: 1, open: true });
    nowUs = 0;
    gone.clear();
    time = new ServingTime([leading(leader)]);
    late = new LateLeases(time, { of: (id: number) => (gone.has(id) ? ended(1) : undefined) } as unknown as LeaseEnds);
    run(1);
  });

  it('is told once, 3 s after its TTL, unless it was kept alive or has ended', () => {
    const [idle, kept] = [lease(), new LeaseRecord(8, 5, 10 * S)];
    late.renewed(idle);
    late.renewed(kept);
    assert.equal(run(7).length, 0);
    late.renewed(kept);
    assert.equal(run(2).length, 1);
    assert.equal(late.open.length, 1);
    gone.add(8);
    assert.equal(run(20).length, 0);
    assert.equal(late.open.length, 0);
  });

  it('has the time in which nobody served, and a little for each change of leader, but not all anew', () => {
    late.renewed(lease());
    run(4);
    leader.state = 'down';
    assert.equal(run(60).length, 0);
    Object.assign(leader, { state: 'up', term: 2 });
    run(1);
    leader.last = 2;
    assert.equal(run(60).length, 0, 'it commits nothing');
    leader.applied = 2;
    leader.open = false;
    assert.equal(run(60).length, 0, 'it does not serve');
    leader.open = true;
    assert.equal(run(4).length, 0);
    assert.equal(run(3).length, 1);
  });

  it('is not told while a keep-alive may be under way', () => {
    const one = lease();
    late.renewed(one);
    one.uncertain++;
    assert.equal(run(30).length, 0);
    one.uncertain--;
    assert.equal(run(1).length, 1);
  });
});
