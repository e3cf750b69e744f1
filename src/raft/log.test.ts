import assert from 'node:assert/strict';
import fc from 'fast-check';
import { Inflights } from './inflights.js';
import { RaftLog } from './log.js';
import { majorityIndex, majorityVote, jointVote } from './quorum.js';
import { Progress } from './progress.js';
import { logOf } from './testing/memory-log.js';
import { Unstable } from './unstable.js';
import type { Entry } from './types.js';

const e = (term: number, index: number, size = 0): Entry => ({ term, index, type: 'normal', data: new Uint8Array(size) });

function makeLog(terms: readonly number[], maxApplying = Infinity): RaftLog {
  return new RaftLog(logOf(terms, {}), maxApplying);
}

describe('raft log', () => {
  it('R3 refuses to change a committed entry, to leave a gap, or to commit what is not there', () => {
    const log = makeLog([1, 1, 1]);
    log.commitTo(2);
    assert.throws(() => log.tryAppend(1, 1, [e(2, 2)], 0), /R3 entry 2 is committed/);
    assert.throws(() => log.append([e(2, 5)]), /R3 log is contiguous/);
    assert.throws(() => log.commitTo(4), /R3 commit 4/);
    assert.throws(() => log.appliedTo(3, 0), /R3 only committed/);
    log.appliedTo(2, 0);
    assert.throws(() => log.appliedTo(1, 0), /R3 applied does not go back/);
    assert.throws(() => log.restore({ metadata: { index: 2, term: 1, confState: logOf([], {}).confState } }), /R3 a snapshot/);
    log.commitTo(1);
    assert.equal(log.committed, 2);
  });

  it('reads across the border between stable and unstable entries within the size limit', () => {
    const log = makeLog([1, 1, 1]); // 13 bytes each
    log.append([e(2, 4, 8), e(2, 5, 8)]); // 20 bytes each
    const indexes = (lo: number, hi: number, max: number) => log.slice(lo, hi, max).map((entry) => entry.index);
    assert.deepEqual(indexes(2, 6, Infinity), [2, 3, 4, 5]);
    assert.deepEqual(indexes(2, 6, 46), [2, 3, 4]);
    assert.deepEqual(indexes(2, 6, 45), [2, 3]);
    assert.deepEqual(indexes(2, 6, 0), [2]);
    assert.deepEqual(indexes(4, 6, 0), [4]);
    assert.deepEqual(indexes(4, 6, 40), [4, 5]);
    assert.throws(() => log.slice(2, 7, Infinity), /R3 entries 2 to 7/);
  });

  it('a write that was overtaken by a truncation makes nothing stable', () => {
    const unstable = new Unstable(5);
    unstable.truncateAndAppend([e(1, 5), e(1, 6)], 0);
    unstable.accept();
    unstable.truncateAndAppend([e(2, 6)], 0);
    unstable.stableTo(6, 1);
    assert.deepEqual([unstable.offset, unstable.nextEntries().map((x) => x.term)], [5, [2]]);
    unstable.stableTo(5, 1);
    assert.equal(unstable.offset, 6);
    unstable.accept();
    unstable.stableTo(6, 2);
    assert.deepEqual([unstable.offset, unstable.isEmpty, unstable.lastIndex], [7, true, 6]);
  });

  it('R3 a list that was shared among followers is not handed out after the log was cut', () => {
    const log = makeLog([1]);
    log.append([e(1, 2), e(1, 3)]);
    const shared = log.entriesFrom(2, Infinity);
    assert.equal(log.entriesFrom(2, Infinity), shared);
    log.tryAppend(1, 1, [e(2, 2)], 0);
    log.append([e(3, 3)]);
    assert.deepEqual(log.entriesFrom(2, Infinity).map((x) => x.term), [2, 3]);
    assert.deepEqual(shared.map((x) => x.term), [1, 1], 'and does not change under those who have it');
  });

  it('cutting into the stable log hands out what replaces it', () => {
    const log = makeLog([1, 1, 1]);
    assert.equal(log.tryAppend(1, 1, [e(2, 2)], 0), true);
    assert.deepEqual([log.lastIndex, log.lastTerm], [2, 2]);
    assert.deepEqual(log.nextUnstableEntries().map((x) => x.index), [2]);
  });

  it('only stable entries are applied if asked so', () => {
    const log = makeLog([1]);
    log.append([e(1, 2)]);
    log.commitTo(2);
    assert.deepEqual(log.nextCommitted(false).map((x) => x.index), [1]);
    assert.deepEqual(log.nextCommitted(true).map((x) => x.index), [1, 2]);
  });

  it('nothing is applied while a snapshot waits to be installed', () => {
    const storage = logOf([1, 1], {});
    const log = new RaftLog(storage, Infinity);
    log.commitTo(2);
    const snapshot = { metadata: { index: 9, term: 3, confState: storage.confState } };
    log.restore(snapshot);
    assert.equal(log.hasNextCommitted(true), false);
    assert.deepEqual([log.lastIndex, log.lastTerm, log.firstIndex, log.term(8)], [9, 3, 10, undefined]);
    assert.throws(() => log.stableSnapshotTo(9), /R2 the snapshot at 9 was never handed out/);
    log.acceptUnstable();
    storage.install(snapshot);
    log.stableSnapshotTo(9);
    assert.equal(log.hasPendingSnapshot, false);
  });
});

describe('raft quorums', () => {
  it('R3 a majority has the index, and none has a higher one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(20), { minLength: 1, maxLength: 9 }), (acked) => {
        const index = majorityIndex([...acked]);
        const having = (least: number) => acked.filter((a) => a >= least).length;
        assert.ok(2 * having(index) > acked.length);
        assert.ok(2 * having(index + 1) <= acked.length);
      }),
    );
    assert.equal(majorityIndex([]), Infinity);
  });

  it('R1 a vote is won by a majority of yes, lost when no such majority is possible', () => {
    for (let size = 1; size <= 7; size++) {
      for (let yes = 0; yes <= size; yes++) {
        for (let no = 0; no <= size - yes; no++) {
          const expected = 2 * yes > size ? 'won' : 2 * (size - no) > size ? 'pending' : 'lost';
          assert.equal(majorityVote(size, yes, no), expected, `${size} ${yes} ${no}`);
        }
      }
    }
    assert.equal(majorityVote(0, 0, 0), 'won');
    assert.deepEqual([jointVote('won', 'pending'), jointVote('pending', 'lost'), jointVote('won', 'lost')], ['pending', 'lost', 'lost']);
  });
});

describe('raft progress', () => {
  it('the window of appends in flight behaves like a plain list', () => {
    const limit = fc.constantFrom(100, Infinity);
    const op = fc.oneof(fc.record({ add: fc.nat(50) }), fc.record({ free: fc.nat(12) }), fc.constant({ reset: true }));
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), limit, fc.array(op, { maxLength: 80 }), (max, maxBytes, ops) => {
        const window = new Inflights(max, maxBytes);
        let model: { index: number; bytes: number }[] = [];
        let next = 1;
        for (const step of ops) {
          if ('add' in step) {
            if (window.full) continue;
            window.add(next, step.add);
            model.push({ index: next++, bytes: step.add });
          } else if ('free' in step) {
            const through = (model[0]?.index ?? next) + step.free - 2;
            window.freeThrough(through);
            model = model.filter((m) => m.index > through);
          } else {
            window.reset();
            model = [];
          }
          assert.equal(window.count, model.length);
          const bytes = model.reduce((sum, m) => sum + m.bytes, 0);
          assert.equal(window.full, model.length >= max || bytes >= maxBytes);
        }
      }),
    );
    const full = new Inflights(1, Infinity);
    full.add(1, 1);
    assert.throws(() => full.add(2, 1), /window is full/);
  });

  it('match stays below next, whatever answers come in whatever order', () => {
    const op = fc.oneof(
      fc.record({ ack: fc.nat(30) }),
      fc.record({ rejected: fc.nat(30), hint: fc.nat(30) }),
      fc.constantFrom('send' as const, 'unreachable' as const, 'snapshot' as const, 'failed' as const, 'arrived' as const),
    );
    fc.assert(
      fc.property(fc.array(op, { maxLength: 60 }), (ops) => {
        const peer = new Progress(2, 10, 4, Infinity);
        let match = 0;
        for (const step of ops) {
          if (step === 'send') {
            if (!peer.paused) peer.sentAppend(peer.inflights.full ? 0 : 1, 1, 5);
          } else if (step === 'unreachable') {
            if (peer.state === 'replicate') peer.becomeProbe();
          } else if (step === 'snapshot') {
            if (!peer.paused) peer.becomeSnapshot(15);
          } else if (step === 'failed' || step === 'arrived') {
            peer.snapshotReported(step === 'arrived');
          } else if ('ack' in step) {
            if (peer.acknowledge(step.ack)) peer.becomeReplicate();
          } else if (peer.rejectedAt(step.rejected, step.hint) && peer.state === 'replicate') {
            peer.becomeProbe();
          }
          assert.ok(peer.match < peer.next && peer.match >= match, `${peer.match} ${peer.next}`);
          match = peer.match;
        }
      }),
    );
  });
});
