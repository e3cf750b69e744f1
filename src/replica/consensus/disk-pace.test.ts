import assert from 'node:assert/strict';
import { DiskPace, type Verdict } from './disk-pace.js';

interface Times {
  readonly own: number;
  readonly others: number;
  readonly pauseMs?: number;
  readonly term?: number;
}

describe('the pace of a leader\'s disk', () => {
  let pace: DiskPace;
  let now: number;
  let index: number;

  beforeEach(() => {
    pace = new DiskPace({ electionMs: 1_000, worthMs: 25 });
    now = 0;
    index = 0;
  });

  /** Writes for so long, one after the other; the first verdict, if there is one. */
  function write(forMs: number, { own, others, pauseMs = 0, term = 1 }: Times): Verdict | undefined {
    let verdict: Verdict | undefined;
    for (const end = now + forMs; now < end; ) {
      const began = now;
      pace.sent(term, ++index, began);
      if (others < own) pace.committed(index, (now = began + others));
      pace.written(index, (now = began + own));
      pace.committed(index, (now = began + Math.max(own, others)));
      verdict ??= pace.judge(now);
      now += pauseMs;
    }
    return verdict;
  }

  it('is slow by its peers and by its own past, whatever either is in milliseconds', () => {
    assert.equal(write(60_000, { own: 2, others: 1 }), undefined);
    assert.deepEqual(write(3_000, { own: 80, others: 1 }), { ownMs: 80, othersMs: 1 });
    write(2_000, { own: 100, others: 90 });
    assert.equal(write(60_000, { own: 100, others: 90 }), undefined);
    assert.deepEqual(write(6_000, { own: 900, others: 90 }), { ownMs: 900, othersMs: 90 });
  });

  it('is not slow where all are: nobody could do better', () => {
    write(60_000, { own: 2, others: 1 });
    assert.equal(write(60_000, { own: 400, others: 300 }), undefined);
    assert.equal(write(60_000, { own: 100, others: 400 }), undefined, 'nor with followers that are slower');
  });

  it('is not slow where it always was a little later, far from worth a change, or once in a while', () => {
    assert.equal(write(60_000, { own: 20, others: 1 }), undefined);
    write(60_000, { own: 2, others: 1 });
    for (let i = 0; i < 50; i++) {
      assert.equal(write(10, { own: 300, others: 1 }), undefined);
      assert.equal(write(1_000, { own: 2, others: 1 }), undefined);
    }
  });

  it('that was slow from the beginning has only its peers to be judged by', () => {
    assert.deepEqual(write(3_000, { own: 200, others: 10 }), { ownMs: 200, othersMs: 10 });
  });

  it('what is slow now is no past that excuses it later', () => {
    write(10_000, { own: 2, others: 1 });
    write(600_000, { own: 100, others: 1 });
    assert.notEqual(write(3_000, { own: 100, others: 1 }), undefined);
  });

  it('by the past of its own: what kept pace at 50 ms is not slow at 100', () => {
    write(60_000, { own: 50, others: 20 });
    assert.equal(write(60_000, { own: 100, others: 20 }), undefined);
    assert.notEqual(write(4_000, { own: 250, others: 20 }), undefined);
  });

  it('is judged by few writes only when they come within a minute, and by those of one term', () => {
    assert.notEqual(write(20_000, { own: 500, others: 5, pauseMs: 2_000 }), undefined);
    assert.equal(write(600_000, { own: 500, others: 5, pauseMs: 100_000, term: 2 }), undefined);
    for (let term = 3; term < 20; term++) assert.equal(write(900, { own: 300, others: 3, term }), undefined);
  });
});
