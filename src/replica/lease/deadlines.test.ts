import assert from 'node:assert/strict';
import type { LeaseId } from '../../base/ids.js';
import { seededRandom } from '../../base/testing/seeded-random.js';
import { Deadlines, Lease } from './deadlines.js';

const lease = (id: bigint, ttl = 10, remainingMs = 0, now = 0, passedMs = 0, atLeastMs = 0): Lease =>
  new Lease(id, { ttl, remainingMs }, now, passedMs, atLeastMs);

/** What the log is told of a lease that nobody keeps alive, looked at each 250 ms. */
function checkpoints(one: Lease): { readonly at: number; readonly left: number }[] {
  const told: { at: number; left: number }[] = [];
  for (let now = 0; now < one.ttlMs; now += 250) {
    const left = one.checkpointDue(now);
    if (left === undefined) continue;
    told.push({ at: now, left });
    one.loggedMs = left;
  }
  return told;
}

describe('the deadlines of leases', () => {
  it('a lease has its TTL, or what is left of that by now, and enough for a keep-alive', () => {
    assert.equal(lease(1n, 10).deadline, 10_000);
    assert.equal(lease(1n, 10, 4_000, 100).deadline, 4_100);
    assert.equal(lease(1n, 10, 4_000, 100, 500).deadline, 3_600);
    assert.equal(lease(1n, 10, 0, 100, 500).deadline, 9_600);
    assert.equal(lease(1n, 10, 4_000, 100, 3_500, 1_000).deadline, 1_100);
    assert.equal(lease(1n, 10, 99_000).deadline, 10_000);
  });

  it('a short lease that nobody keeps alive is written down each half second, with what is truly left', () => {
    for (const ttl of [2, 5, 15]) {
      const told = checkpoints(lease(1n, ttl));
      assert.ok(told.length >= 2 * ttl - 1, `${told.length} times in ${ttl} s`);
      for (const { at, left } of told) assert.equal(left, ttl * 1000 - at);
    }
  });

  it('a longer one is written down once it has missed a keep-alive, each 64th of its TTL', () => {
    const told = checkpoints(lease(1n, 640));
    assert.equal(told[0]?.left, 640_000 * 0.6);
    assert.ok(told.length <= 640_000 / 10_000 && told.length >= 35, `${told.length} times`);
  });

  it('a lease that is kept alive at a third of its TTL is never written down if it is long, and is due no more', () => {
    const long = lease(1n, 60);
    for (let now = 0; now < 600_000; now += 250) {
      if (now % 20_000 === 0) long.renew(now);
      assert.equal(long.checkpointDue(now), undefined);
    }
    long.due = true;
    long.renew(700_000);
    assert.deepEqual([long.due, long.deadline], [false, 760_000]);
  });

  it('a lease comes up when there is something to do about it, and at its end', () => {
    assert.equal(lease(1n, 2).nextLook, 250);
    assert.equal(lease(1n, 2, 1_500, 700).nextLook, 700 + 500);
    assert.equal(lease(1n, 2, 400, 700).nextLook, 700 + 400);
    assert.equal(lease(1n, 600).nextLook, 600_000 * 0.4);
    for (const one of [lease(1n, 2), lease(1n, 14, 6_000), lease(1n, 600), lease(1n, 600, 50_000)]) {
      assert.equal(one.checkpointDue(one.nextLook - 1), undefined);
      assert.equal(one.checkpointDue(one.nextLook), one.deadline - one.nextLook);
    }
  });

  it('only those come whose time it is, and all of them do, in as many parts as it takes', () => {
    const deadlines = new Deadlines();
    for (let id = 0n; id < 100n; id++) deadlines.put(lease(id, id < 60n ? 2 : 10, 1));
    for (let id = 100n; id < 10_000n; id++) deadlines.put(lease(id, 600));
    assert.deepEqual([...deadlines.due(0, 4_096)], []);
    const parts = Array.from({ length: 4 }, () => [...deadlines.due(100, 30)].map(({ id }) => id));
    assert.deepEqual(parts.map(({ length }) => length), [30, 30, 30, 10]);
    assert.equal(new Set(parts.flat()).size, 100);
    assert.ok(parts.flat().every((id) => id < 100n));
    // Who was taken stands nowhere, until it is let stand again.
    assert.deepEqual([...deadlines.due(5_000, 4_096)], []);
    deadlines.look(deadlines.get(7n) as Lease, 6_000);
    assert.deepEqual([...deadlines.due(5_999, 4_096)], []);
    assert.deepEqual([...deadlines.due(6_000, 4_096)].map(({ id }) => id), [7n]);
    assert.equal([...deadlines.due(600_000, 20_000)].length, 9_900);
  });

  it('whatever is put, moved and removed meanwhile, each that there is comes once at its time', () => {
    const random = seededRandom(7);
    const deadlines = new Deadlines();
    const at = new Map<LeaseId, number>();
    const put = (id: LeaseId, now: number): void => {
      const one = lease(id, 1 + random.below(30), 0, now);
      deadlines.put(one);
      at.set(id, one.nextLook);
    };
    for (let now = 0, next = 0n; now < 60_000; now += 10 + random.below(240)) {
      for (let n = random.below(20); n > 0; n--) put(next++, now);
      const ids = [...at.keys()];
      for (let n = random.below(5); n > 0 && ids.length > 0; n--) {
        const id = ids[random.below(ids.length)] as LeaseId;
        if (!at.has(id)) continue;
        if (random.below(2) === 0) {
          deadlines.remove(id);
          at.delete(id);
        } else put(id, now);
      }
      for (const one of deadlines.due(now, 4_096)) {
        const due = at.get(one.id) as number;
        assert.ok(due <= now, `lease ${one.id} comes at ${now} of ${due}`);
        if (random.below(3) === 0) {
          at.set(one.id, now + 100);
          deadlines.look(one, now + 100);
        } else {
          deadlines.remove(one.id);
          at.delete(one.id);
        }
      }
      for (const [id, due] of at) assert.ok(due > now - 50, `lease ${id} of ${due} has not come at ${now}`);
    }
  });

  it('a lease that is gone leaves nothing behind, however far its end was', () => {
    const deadlines = new Deadlines();
    for (let id = 0n; id < 1_000n; id++) {
      deadlines.put(lease(id, 1_000_000));
      deadlines.remove(id);
    }
    assert.equal(deadlines.get(7n), undefined);
    assert.deepEqual([...deadlines.due(2e9, 4_096)], []);
  });
});
