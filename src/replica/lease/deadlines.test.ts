import assert from 'node:assert/strict';
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

  it('a tour comes to every lease in so many parts, whatever is granted and removed meanwhile', () => {
    const deadlines = new Deadlines();
    for (let id = 0n; id < 103n; id++) deadlines.put(lease(id));
    const seen = new Set<bigint>();
    for (let part = 0; part < 5; part++) {
      for (const { id } of deadlines.visit(5)) seen.add(id);
      deadlines.remove(BigInt(part));
      deadlines.put(lease(1_000n + BigInt(part)));
    }
    for (let id = 5n; id < 103n; id++) assert.ok(seen.has(id), `lease ${id}`);
    for (let part = 0; part < 7; part++) for (const { id } of deadlines.visit(5)) seen.add(id);
    for (let id = 1_000n; id < 1_005n; id++) assert.ok(seen.has(id), `lease ${id}`);
    deadlines.clear();
    assert.deepEqual([...deadlines.visit(5)], []);
    assert.equal(deadlines.get(7n), undefined);
  });
});
