import assert from 'node:assert/strict';
import fc from 'fast-check';
import type { PendingPlan } from '../../storage/version/pending.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import { healPick } from './heal-picker.js';
import { backoffMs, HealQueue, QUEUE_MAX, type QueuedHeal } from './heal-queue.js';
import type { Hint } from '../hints/hint.js';
import { manifestOf, seeded } from '../testing/world.js';

function table(id: number): TableMeta {
  return { id, fileDigest: `${id}`.padStart(32, '0') } as TableMeta;
}

function plan(...inputs: number[]): PendingPlan {
  return { inputs: inputs.map((id) => ({ id, digest: '' })) } as unknown as PendingPlan;
}

function hint(tableId: number, kind: Hint['kind'] = 'corrected', node = 2): Hint {
  const birth = { term: 1, proposer: 1, sequence: tableId, ordinal: 0 };
  return { tableId, birth, fileDigest: '', kind, offsets: [0], node, pastCache: true };
}

function queueOf(...hints: Hint[]): HealQueue {
  const queue = new HealQueue(seeded(1));
  for (const each of hints) queue.accept(each);
  return queue;
}

describe('the heal picker', () => {
  it('H4 drops what is gone, passes over what is busy, and takes the next', () => {
    const queue = queueOf(hint(1), hint(2), hint(3));
    const choice = healPick(manifestOf([table(2), table(3)], 9, [plan(2)]), queue.all(), 0);
    assert.deepEqual(choice.drop, [1]);
    assert.equal(choice.heal?.id, 3);
  });

  it('H2 keeps a hint against a table whose edit is still to be applied here', () => {
    const choice = healPick(manifestOf([table(1)], 2), queueOf(hint(2)).all(), 0);
    assert.deepEqual([choice.drop, choice.heal], [[], undefined]);
  });

  it('H4 takes the worst first, then what failed least, then what came first', () => {
    const queue = queueOf(hint(1, 'parity'), hint(2), hint(3, 'missing'), hint(4), hint(5, 'unreadable'));
    queue.failed(2, 0);
    const manifest = manifestOf([1, 2, 3, 4, 5].map(table), 9);
    const order: number[] = [];
    for (;;) {
      const { heal } = healPick(manifest, queue.all(), 1e6);
      if (heal === undefined) break;
      order.push(heal.id);
      queue.claim(heal.id, 1e6);
    }
    assert.deepEqual(order, [3, 5, 4, 2, 1]);
  });

  it('H4 a failing table waits alone, longer each time, and is taken again when due', () => {
    const queue = queueOf(hint(1), hint(2));
    const manifest = manifestOf([table(1), table(2)], 9);
    let last = 0;
    for (let i = 0; i < 4; i++) {
      queue.claim(1, last);
      queue.failed(1, 0);
      const due = queue.get(1)?.due ?? 0;
      assert.ok(due > last, `${due} after ${last}`);
      last = due;
      const choice = healPick(manifest, queue.all(), due - 1);
      assert.equal(choice.heal?.id, 2);
    }
    queue.drop(2);
    assert.equal(healPick(manifest, queue.all(), last).heal?.id, 1);
  });

  it('H4 a proposal whose outcome never came is reported as lost, not forgotten', () => {
    const queue = queueOf(hint(1));
    const manifest = manifestOf([table(1)], 9);
    queue.claim(1, 0);
    queue.proposed(1, 100);
    assert.deepEqual(healPick(manifest, queue.all(), 99), { drop: [], lost: [], heal: undefined });
    assert.deepEqual(healPick(manifest, queue.all(), 100).lost, [1]);
  });

  it('H4 whatever the queue, a table that is live, free and due is chosen', () => {
    const entry = fc.record({
      tableId: fc.integer({ min: 1, max: 20 }),
      state: fc.constantFrom<QueuedHeal['state']>('pending', 'claimed', 'proposed', 'backoff'),
      due: fc.nat(100),
      attempts: fc.nat(9),
      arrival: fc.nat(),
      hints: fc.constant(new Map([[2, hint(1)]])),
    });
    const ids = fc.uniqueArray(fc.integer({ min: 1, max: 20 }));
    fc.assert(
      fc.property(fc.uniqueArray(entry, { selector: (heal) => heal.tableId }), ids, ids, (queue, live, busy) => {
        const choice = healPick(manifestOf(live.map(table), 21, [plan(...busy)]), queue, 50);
        const ready = queue.filter(
          ({ tableId, state, due }) => live.includes(tableId) && !busy.includes(tableId) && due <= 50 && (state === 'pending' || state === 'backoff'),
        );
        assert.equal(choice.heal !== undefined, ready.length > 0);
        if (choice.heal) assert.ok(ready.some((heal) => heal.tableId === choice.heal?.id));
        for (const { tableId } of queue) assert.equal(choice.drop.includes(tableId), !live.includes(tableId));
      }),
    );
  });

  it('H4 an entry makes only the moves that there are, and none before it is due', () => {
    const queue = queueOf(hint(1));
    assert.throws(() => queue.proposed(1, 100), /pending, and does not become proposed/);
    assert.throws(() => queue.claim(2, 0), /out, and does not become claimed/);
    queue.claim(1, 0);
    assert.throws(() => queue.claim(1, 0), /claimed, and does not become claimed/);
    queue.proposed(1, 100);
    assert.throws(() => queue.release(1), /proposed, and does not become pending/);
    queue.failed(1, 0);
    assert.throws(() => queue.claim(1, 0), /due at/);
    queue.drop(1);
    assert.equal(queue.stateOf(1), 'out');
    queue.failed(1, 0);
    assert.equal(queue.stateOf(1), 'out', 'what left has nothing to fail');
  });

  it('backoff grows to five minutes and no further, with jitter of half a step', () => {
    const random = seeded(7);
    for (let attempts = 0; attempts < 40; attempts++) {
      const step = Math.min(300_000, 500 * 2 ** attempts);
      const wait = backoffMs(attempts, random);
      assert.ok(wait >= step / 2 && wait <= step, `${wait} of ${step}`);
    }
  });

  it('H2 hearing a hint again changes nothing, and a full queue refuses so that its node keeps sending', () => {
    const queue = new HealQueue(seeded(1));
    for (let id = 1; id <= QUEUE_MAX; id++) assert.equal(queue.accept(hint(id)), true);
    assert.equal(queue.accept(hint(QUEUE_MAX + 1)), false);
    queue.claim(5, 0);
    assert.equal(queue.accept(hint(5)), true);
    assert.equal(queue.get(5)?.state, 'claimed');
    assert.equal(queue.accept(hint(5, 'missing', 3)), true);
    assert.deepEqual([...(queue.get(5)?.hints.keys() ?? [])], [2, 3]);
    assert.equal(queue.size, QUEUE_MAX);
  });
});
