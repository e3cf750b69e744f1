import assert from 'node:assert/strict';
import { EtcdError } from '../../api/etcd-error.js';
import { Deferred } from '../../base/deferred.js';
import type { Env } from '../../base/env.js';
import { codeOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import type { Entry } from '../../raft/types.js';
import type { LogError } from '../log/errors.js';
import { StorageError } from '../../storage/base/errors.js';
import { Applier } from './applier.js';
import { encodeClusterVersion, encodeKv } from '../entry/entry.js';
import { sealed } from '../entry/testing/sealed.js';
import type { KvMachine } from '../kv/kv-machine.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import { ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { encodeConfChange } from '../../raft/confchange-codec.js';
import { MemberState } from '../state/testing/member-state.js';
import { Watermark } from '../../base/watermark.js';
import type { Proposals } from '../consensus/proposals.js';
import { put } from '../../api/testing/requests.js';
import { ManualClock } from '../../base/testing/manual-clock.js';

function entryAt(index: number): Entry {
  const data = encodeKv({ member: 1, incarnation: 1, sequence: index }, { kind: 'put', request: put(`k${index}`, 'v') });
  return { term: 1, index, type: 'normal', data };
}

class Bench {
  readonly clock = new ManualClock();
  readonly done: number[] = [];
  readonly seen: number[] = [];
  readonly member = new MemberState().serve();
  readonly reads: (readonly [number, number])[] = [];
  broken = false;
  brokenAt = 0;
  warnings = 0;
  /** The log has entries as they were proposed. */
  onDisk = true;
  /** The log gives them as they were proposed. */
  given = true;
  /** Asked of the others. */
  readonly sought: unknown[] = [];
  /** A client waits for its proposal, which was applied before. */
  duplicate = false;
  readonly refusals: unknown[] = [];
  /** Of the entry at hand. */
  refusalOf: () => ReturnType<ReplicatedState['refusalOf']> = () => undefined;
  #mended: (() => void)[] = [];
  readonly applier: Applier;

  constructor() {
    const kv = {
      tryApplyFast: (index: number) => {
        if (this.broken || index === this.brokenAt) throw new StorageError('BLOCK_UNREADABLE', 'bad', {});
        this.done.push(index);
        return { kind: this.duplicate ? 'duplicate' : 'done', response: undefined };
      },
      apply: function* (this: { tryApplyFast: (index: number) => unknown }, index: number) {
        return this.tryApplyFast(index);
      },
      refuse: (index: number, _id: unknown, error: EtcdError) => {
        this.done.push(-index);
        return { kind: 'refused', error };
      },
    } as unknown as KvMachine;
    const env = { clock: this.clock, workers: { breathe: () => undefined }, events: { emit: ({ type }: KintsugiEvent) => void (this.warnings += Number(type === 'warning')) } } as unknown as Env;
    const log = {
      entries: (from: number, to: number) => {
        this.reads.push([from, to]);
        return Array.from({ length: Math.min(1_000, to - from) }, (_, i) => (this.given ? entryAt : damagedAt)(from + i));
      },
      reread: (index: number) => (this.onDisk ? entryAt(index) : damagedAt(index)),
      allow: () => undefined,
    };
    const state = { kv, version: 2, newest: 2, refusalOf: () => this.refusalOf(), leaseNews: { counted: () => undefined } };
    const applied = new Watermark('the applied index', 0);
    applied.subscribe((index) => this.seen.push(index));
    this.applier = new Applier(
      {
        env, log, mender: { seek: (error: LogError) => this.sought.push(error.data['index']) }, life: this.member.life,
        membership: this.member.membership,
        state: state as unknown as ReplicatedState, progress: { applied },
        proposals: {
          waitsFor: () => this.duplicate, refused: (_id: unknown, error: unknown) => this.refusals.push(codeOf(error)),
        } as unknown as Proposals, machine: { apply: () => undefined },
        healing: { repair: () => new Promise<void>((resolve) => this.#mended.push(resolve)) },
      },
      { unrepaired: () => undefined },
    );
  }

  get failures(): readonly unknown[] {
    return this.member.failures;
  }

  async mend(): Promise<void> {
    for (const resolve of this.#mended.splice(0)) resolve();
    await turn();
  }
}

function damagedAt(index: number): Entry {
  const entry = entryAt(index);
  entry.data[9] = (entry.data[9] as number) ^ 4;
  return entry;
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** A change of the members as a later program may write it. */
function laterChange(): Uint8Array {
  const context = new ByteWriter(8).u8(9).u32(0);
  context.patchU32(1, crc32c(context.view(), crc32c(context.view(), 0, 0, 1), 5));
  return encodeConfChange({ transition: 'auto', changes: [], context: context.finish() });
}

describe('applying', () => {
  for (const [what, later] of [
    ['a change of the membership of a later format', { type: 'confChange', data: laterChange() }],
    ['a sound entry of a later kind', { type: 'normal', data: sealed(99, 1) }],
    ['a sound entry of a later format', { type: 'normal', data: sealed(2, 9) }],
    ['a version of the cluster that this program does not know', { type: 'normal', data: encodeClusterVersion(8) }],
  ] as const) {
    it(`S1 ${what} is never passed over, and stops nobody: apply waits there for a newer program`, async () => {
      const bench = new Bench();
      bench.applier.enqueue([entryAt(1), { term: 1, index: 2, ...later }, entryAt(3)]);
      await turn();
      bench.applier.enqueue([entryAt(4)]);
      await turn();
      assert.deepEqual(bench.failures, []);
      assert.deepEqual([bench.done, bench.applier.index], [[1], 1]);
      assert.deepEqual(bench.seen, [1], 'R4 who waits for what came before it is told');
      assert.match(bench.applier.blockedBy ?? '', /entry 2: .*newer program/);
      assert.notEqual(bench.applier.blockedSince, undefined);
      assert.equal(bench.warnings, 1, 'said once');
      // A version of a peer that holds the entry takes its place.
      await bench.applier.reset(3);
      assert.deepEqual([bench.applier.blockedBy, bench.applier.blockedSince], [undefined, undefined]);
      bench.applier.enqueue([entryAt(4)]);
      await turn();
      assert.deepEqual(bench.done, [1, 4]);
    });
  }

  it('S2 C1 an entry waits while it is found out in slices whether it is refused, and the next ones behind it', async () => {
    const bench = new Bench();
    const asked: Deferred<EtcdError | undefined>[] = [];
    bench.refusalOf = () => {
      const one = new Deferred<EtcdError | undefined>();
      asked.push(one);
      return one.promise;
    };
    bench.applier.enqueue([entryAt(1), entryAt(2), entryAt(3)]);
    await turn();
    assert.deepEqual([bench.done, bench.applier.index, asked.length], [[], 0, 1]);
    asked[0]?.resolve(undefined);
    await turn();
    assert.deepEqual([bench.done, asked.length], [[1], 2]);
    asked[1]?.reject(new StorageError('BLOCK_UNREADABLE', 'bad', {}));
    await turn();
    assert.deepEqual([bench.applier.blockedBy, asked.length], ['BLOCK_UNREADABLE: bad', 2], 'a block is mended first');
    await bench.mend();
    assert.deepEqual([bench.done, asked.length], [[1], 3], 'and then it is asked again');
    const stopped = bench.applier.stop();
    asked[2]?.resolve(new EtcdError('PERMISSION_DENIED'));
    await stopped;
    assert.deepEqual([bench.done, bench.applier.index], [[1, -2], 2], 'what was begun is done');
    bench.applier.resume();
    await turn();
    assert.equal(asked.length, 4);
    assert.deepEqual(bench.failures, []);
  });

  it('S1 C1 a copy that is not what its proposer made is asked of the others, and carried out as they have it', async () => {
    const bench = new Bench();
    bench.onDisk = false;
    bench.given = false;
    bench.applier.enqueue([entryAt(1), damagedAt(2), entryAt(3)]);
    await turn();
    assert.deepEqual([bench.done, bench.sought, bench.seen], [[1], [2], [1]]);
    assert.match(bench.applier.blockedBy ?? '', /committed entry 2/);
    bench.clock.advance(1_000);
    await turn();
    assert.deepEqual([bench.done, bench.sought], [[1], [2, 2]], 'never carried out as it is');
    bench.given = true;
    bench.clock.advance(1_000);
    await turn();
    assert.deepEqual([bench.done, bench.applier.blockedBy], [[1, 2, 3], undefined]);
    assert.deepEqual(bench.failures, []);
  });

  it('C1 a copy that went bad in memory is read again from the log, and carried out', async () => {
    const bench = new Bench();
    bench.applier.enqueue([entryAt(1), damagedAt(2), entryAt(3)]);
    await turn();
    assert.deepEqual(bench.failures, []);
    assert.deepEqual(bench.done, [1, 2, 3]);
    assert.equal(bench.warnings, 1);
  });

  it('R4 an entry whose block was never mended does not count as applied when the applier stops', async () => {
    const bench = new Bench();
    bench.applier.enqueue([entryAt(1)]);
    await turn();
    bench.broken = true;
    bench.applier.enqueue([entryAt(2), entryAt(3)]);
    const stopped = bench.applier.stop();
    await bench.mend();
    await stopped;
    assert.equal(bench.applier.index, 1);
    assert.deepEqual(bench.seen.filter((index) => index > 1), []);
    assert.deepEqual(bench.done, [1]);
  });

  it('R4 who waits for what came before an entry that needs a repair is told before that is over', async () => {
    const bench = new Bench();
    bench.brokenAt = 3;
    bench.applier.enqueue([entryAt(1), entryAt(2), entryAt(3), entryAt(4)]);
    await turn();
    assert.deepEqual([bench.done, bench.seen], [[1, 2], [2]]);
    bench.brokenAt = 0;
    await bench.mend();
    assert.deepEqual([bench.done, bench.seen], [[1, 2, 3, 4], [2, 4]]);
  });

  it('R4 S1 after a version of a peer was put in place, all that is known to be committed is applied from there, once', async () => {
    for (const from of [1, 5]) {
      const bench = new Bench();
      bench.applier.enqueue([entryAt(1), entryAt(2)]);
      await turn();
      bench.broken = true;
      bench.applier.enqueue([entryAt(3)]);
      const stopped = bench.applier.stop();
      bench.applier.enqueue([entryAt(4)]);
      await bench.mend();
      await stopped;
      bench.broken = false;
      bench.done.length = 0;
      await bench.applier.rebase(from);
      assert.deepEqual(bench.done, [], 'not before it is told to go on');
      bench.applier.resume();
      await turn();
      bench.applier.enqueue([entryAt(5), entryAt(6)]);
      await turn();
      assert.deepEqual(bench.done, [2, 3, 4, 5, 6].filter((index) => index > from));
      assert.deepEqual(bench.failures, []);
    }
  });

  it('D1 who still waits for a proposal that was applied before is told that its outcome is unknown', async () => {
    // As after a version of a peer's with the first entry of it: what that answered is not known.
    const bench = new Bench();
    bench.duplicate = true;
    bench.applier.enqueue([entryAt(1)]);
    await turn();
    assert.deepEqual([bench.done, bench.refusals], [[1], ['TIMEOUT']]);
  });

  it('R3 what comes while some before it is left in the log waits there, too, though the queue has room again', async () => {
    const bench = new Bench();
    bench.broken = true;
    for (let at = 1; at <= 20_000; at += 1_000) bench.applier.enqueue(Array.from({ length: 1_000 }, (_, i) => entryAt(at + i)));
    await turn();
    bench.broken = false;
    // In the middle of what was read from the log again.
    bench.brokenAt = 17_000;
    await bench.mend();
    while (bench.applier.index < 16_999) await turn();
    bench.applier.enqueue([entryAt(20_001)]);
    bench.brokenAt = 0;
    await bench.mend();
    while (bench.applier.backlog > 0 && bench.failures.length === 0) await turn();
    assert.deepEqual(bench.failures, []);
    assert.deepEqual(bench.done, Array.from({ length: 20_001 }, (_, i) => i + 1));
  });

  it('S1 what does not fit into the queue while apply waits is read from the log again, in order', async () => {
    const bench = new Bench();
    bench.broken = true;
    const total = 40_000;
    for (let at = 1; at <= total; at += 1_000) bench.applier.enqueue(Array.from({ length: 1_000 }, (_, i) => entryAt(at + i)));
    await turn();
    assert.equal(bench.applier.backlog, total);
    bench.broken = false;
    await bench.mend();
    while (bench.applier.backlog > 0) await turn();
    assert.deepEqual(bench.failures, []);
    assert.deepEqual(bench.done, Array.from({ length: total }, (_, i) => i + 1));
    assert.ok(bench.reads.length > 0 && (bench.reads[0] as readonly [number, number])[0] > 10_000, 'the first ones were kept');
    bench.applier.enqueue([entryAt(total + 1)]);
    await turn();
    assert.equal(bench.applier.index, total + 1);
  });
});
