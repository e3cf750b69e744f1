import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { compareBytes, toHex, utf8 } from '../../base/bytes.js';
import { pickLeveled } from '../compaction/leveled.js';
import { SYSTEM_SPACE, USER_SPACE, type ReadView, type Space, type TreeWrite, type VersionedEntry } from '../base/read-view.js';
import { encodeManifest } from '../version/manifest-codec.js';
import { tablePath } from '../table/table-meta.js';
import { SMALL_FORMAT, SMALL_SETTINGS, TreeHarness } from '../testing/tree-harness.js';

type Version = Omit<TreeWrite, 'space' | 'key'>;

/** What the tree must show: all versions of all keys, newest first. */
class Oracle {
  readonly #keys = new Map<string, { space: Space; key: Uint8Array; versions: Version[] }>();
  revision = 1;
  gcRevision = 0;

  add(write: TreeWrite): void {
    const id = `${write.space}:${toHex(write.key)}`;
    const known = this.#keys.get(id) ?? { space: write.space, key: write.key, versions: [] };
    known.versions.unshift(write);
    this.#keys.set(id, known);
  }

  get(space: Space, key: Uint8Array, at: number): Version | undefined {
    return this.#keys.get(`${space}:${toHex(key)}`)?.versions.find((v) => v.revision <= at);
  }

  live(key: Uint8Array): boolean {
    const newest = this.get(USER_SPACE, key, Number.MAX_SAFE_INTEGER);
    return newest !== undefined && !newest.tombstone;
  }

  scan(space: Space, from: Uint8Array, to: Uint8Array | undefined, at: number): string[] {
    return [...this.#keys.values()]
      .filter((k) => k.space === space && compareBytes(k.key, from) >= 0 && (to === undefined || compareBytes(k.key, to) < 0))
      .sort((a, b) => compareBytes(a.key, b.key))
      .flatMap((k) => {
        const v = this.get(space, k.key, at);
        return v === undefined || v.tombstone ? [] : [show(k.key, v)];
      });
  }
}

function show(key: Uint8Array, v: Version): string {
  return `${toHex(key)}@${v.revision}.${v.sub}=${toHex(v.value)}`;
}

const KEYS = [
  ...Array.from({ length: 40 }, (_, i) => utf8(`key-${i.toString().padStart(2, '0')}`)),
  ...[[], [0], [0, 0xff], [0xff, 0xff]].map((bytes) => Uint8Array.from(bytes)),
];

function keyOf(n: number): Uint8Array {
  return KEYS[n % KEYS.length] as Uint8Array;
}

type Action = { readonly kind: string; readonly n: number; readonly m: number };

function batch(oracle: Oracle, action: Action, index: number): TreeWrite[] {
  const writes: TreeWrite[] = [];
  const revision = ++oracle.revision;
  for (let i = 0; i <= action.m % 6; i++) {
    const key = keyOf(action.n + 7 * i);
    if (writes.some((w) => compareBytes(w.key, key) === 0)) continue;
    const live = oracle.live(key);
    const tombstone = action.kind === 'delete';
    if (tombstone && !live) continue;
    const value = tombstone ? new Uint8Array(0) : utf8(`v${revision}.${i}`.padEnd(action.m % 120, '.'));
    writes.push({ space: USER_SPACE, key, revision, sub: i, tombstone, liveDelta: tombstone ? -1 : live ? 0 : 1, value });
  }
  const system = { space: SYSTEM_SPACE, key: keyOf(action.m), revision: index, sub: 0, liveDelta: 0, value: utf8(`s${index}`) } as const;
  writes.push({ ...system, tombstone: action.m % 5 === 0 });
  for (const write of writes) oracle.add(write);
  return writes;
}

function check(view: ReadView, oracle: Oracle, n: number, m: number): void {
  const latest = Number.MAX_SAFE_INTEGER;
  const span = Math.max(1, oracle.revision - oracle.gcRevision);
  for (const at of [latest, oracle.gcRevision + (n % span), oracle.gcRevision]) {
    for (let i = 0; i < 6; i++) {
      const key = keyOf(n + i * m);
      const want = oracle.get(USER_SPACE, key, at);
      const got = view.get(USER_SPACE, key, at);
      // A tombstone may have been collected.
      if (want === undefined || want.tombstone) assert(got === undefined || (got.tombstone && want?.revision === got.revision));
      else assert.equal(got && show(got.key, got), show(key, want));
    }
    const from = keyOf(n);
    const to = m % 3 === 0 ? undefined : keyOf(m);
    const want = oracle.scan(USER_SPACE, from, to, at);
    const list = (it: Iterable<VersionedEntry>): string[] => [...it].map((e) => show(e.key, e));
    assert.deepEqual(list(view.scan(USER_SPACE, { from, to, atRevision: at })), want);
    assert.deepEqual(list(view.scan(USER_SPACE, { from, to, atRevision: at, reverse: true })), want.reverse());
    if (at === latest) assert.equal(view.countLive(from, to), want.length);
  }
  const system = oracle.scan(SYSTEM_SPACE, keyOf(n), undefined, latest);
  assert.deepEqual([...view.scan(SYSTEM_SPACE, { from: keyOf(n), to: undefined, atRevision: latest })].map((e) => show(e.key, e)), system);
  for (let i = 0; i < 3; i++) {
    const want = oracle.get(SYSTEM_SPACE, keyOf(n + i), latest);
    const got = view.get(SYSTEM_SPACE, keyOf(n + i), latest);
    if (want === undefined || want.tombstone) assert(got === undefined || got.tombstone);
    else assert.equal(got && show(got.key, got), show(keyOf(n + i), want));
  }
}

function pick(harness: TreeHarness, gcRevision: number): void {
  const { manifest, proposer } = harness;
  const choice = pickLeveled({ manifest, settings: SMALL_SETTINGS, proposer, gcRevision, blocked: new Set() });
  if (choice.kind === 'plan') assert.equal(harness.apply(choice.op).kind, 'planned');
}

async function perform(harness: TreeHarness, oracle: Oracle, action: Action): Promise<void> {
  const { n, m } = action;
  const live = harness.manifest.list();
  switch (action.kind) {
    case 'put':
    case 'delete':
      return harness.write(batch(oracle, action, harness.lastIndex + 1));
    case 'fill':
      for (let i = 0; i < 20; i++) harness.write(batch(oracle, { kind: 'put', n: n + i, m: m + i }, harness.lastIndex + 1));
      harness.seal();
      await harness.flush(n % 4 !== 0);
      return;
    case 'seal':
      return void harness.seal();
    case 'flush':
      return void (await harness.flush(n % 3 !== 0));
    case 'pick':
      return pick(harness, oracle.gcRevision);
    case 'compact': {
      const plan = harness.manifest.plans[n % Math.max(1, harness.manifest.plans.length)];
      if (plan === undefined) return;
      if (!plan.inputs.every((ref) => harness.tree.isLocal(ref.id))) await harness.materialize();
      return void (await harness.compact(plan.index, m % 3 !== 0));
    }
    case 'abandon':
      return void harness.apply({ kind: 'abandon', plan: harness.manifest.plans[0]?.index ?? n });
    case 'heal': {
      const table = live[n % Math.max(1, live.length)];
      if (table === undefined) return;
      harness.apply({ kind: 'heal-edit', removed: { id: table.id, digest: m % 7 === 0 ? '0'.repeat(32) : table.fileDigest } });
      return m % 2 === 0 ? harness.materialize() : undefined;
    }
    case 'rewrite': {
      const table = live[n % Math.max(1, live.length)];
      const outputLevel = harness.manifest.levels.findIndex((tables) => tables.some((t) => t === table));
      if (table === undefined) return;
      const inputs = [{ id: table.id, digest: table.fileDigest }];
      const format = { ...SMALL_FORMAT, scheme: { kind: 'secded' as const } };
      return void harness.apply({ kind: 'plan', proposer: 7, purpose: 'rewrite', inputs, outputLevel, gcRevision: 0, format });
    }
    case 'gc':
      oracle.gcRevision = Math.max(oracle.gcRevision, oracle.revision - (n % 40));
      return;
    case 'materialize':
      return harness.materialize();
    case 'record':
      return harness.record();
    case 'reopen':
      await harness.reopen();
      return harness.materialize();
    default:
      return check(harness.tree.current, oracle, n, m);
  }
}

const WEIGHTS: Record<string, number> = {
  put: 10, delete: 5, fill: 3, seal: 3, flush: 3, pick: 4, compact: 4, abandon: 1,
  heal: 2, rewrite: 1, gc: 2, materialize: 2, record: 3, reopen: 1, check: 4,
};

describe('Tree', () => {
  it('S2 S4 shows what an oracle shows, whatever is flushed, compacted, collected, healed, recorded and reopened', async function () {
    this.timeout(60_000);
    const kinds = Object.entries(WEIGHTS).flatMap(([kind, weight]) => Array.from({ length: weight }, () => kind));
    const action = fc.record({ kind: fc.constantFrom(...kinds), n: fc.nat(1000), m: fc.nat(1000) });
    await fc.assert(
      fc.asyncProperty(fc.array(action, { minLength: 40, maxLength: 120 }), async (actions) => {
        const harness = await TreeHarness.open();
        const oracle = new Oracle();
        const held: { view: ReadView; frozen: string[]; gc: number }[] = [];
        const all = { from: new Uint8Array(0), to: undefined, atRevision: Number.MAX_SAFE_INTEGER };
        const dump = (view: ReadView): string[] => [...view.scan(USER_SPACE, all)].map((e) => show(e.key, e));
        for (const step of actions) {
          await perform(harness, oracle, step);
          if (step.kind === 'reopen') held.length = 0;
          if (step.kind === 'put' && step.n % 5 === 0) {
            const view = harness.tree.view();
            held.push({ view, frozen: dump(view), gc: view.countLive(all.from, undefined) });
          }
          if (step.kind === 'record' && held.length > 0) {
            const { view, frozen, gc } = held.shift() as (typeof held)[0];
            assert.deepEqual(dump(view), frozen, 'a view never changes');
            assert.equal(view.countLive(all.from, undefined), gc);
            view.release();
          }
        }
        check(harness.tree.current, oracle, 3, 5);
        const onlyWhatIsNamed = async (): Promise<void> => {
          await harness.materialize();
          await harness.record();
          const files = (await harness.disk.list('tables')).filter((name) => name.endsWith('.sst')).sort();
          const named = harness.tree.latest.list().map((t) => tablePath(t.id).slice('tables/'.length)).sort();
          assert.deepEqual(files, named, 'S5 nothing is left, nothing is missing');
        };
        for (const { view } of held) view.release();
        await onlyWhatIsNamed();
        await harness.reopen();
        await harness.materialize();
        check(harness.tree.current, oracle, 3, 6);
        await onlyWhatIsNamed();
      }),
      { numRuns: 60 },
    );
  });

  it('S2 two nodes with the same log but different histories of their own have equal manifests and equal files', async () => {
    const a = await TreeHarness.open();
    const b = await TreeHarness.open();
    const oracle = new Oracle();
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 15; i++) {
        const writes = batch(oracle, { kind: i % 4 === 3 ? 'delete' : 'put', n: round * 31 + i * 7, m: i * 13 + round }, a.lastIndex + 1);
        a.write(writes);
        // The other node saw the keys of an entry in another order, and restarts now and then.
        b.write([...writes].reverse());
      }
      a.seal();
      b.seal();
      if (round % 3 === 1) await b.reopen();
      await a.flush();
      await b.flush(round % 2 === 0);
      pick(a, round * 10);
      pick(b, round * 10);
      for (const plan of a.manifest.plans) {
        await b.materialize();
        await a.compact(plan.index);
        await b.compact(plan.index, round % 2 === 1);
      }
      await a.record();
    }
    await b.materialize();
    await b.record();
    assert.equal(toHex(encodeManifest(a.manifest)), toHex(encodeManifest(b.manifest)));
    assert(a.manifest.levels.slice(1).some((tables) => tables.length > 1), 'compactions happened');
    for (const table of a.manifest.list()) {
      const read = async (h: TreeHarness): Promise<string> => toHex((await h.disk.readDirect(tablePath(table.id), 0, table.bytes)).bytes);
      assert.equal(await read(a), await read(b));
    }
  });

  it('S2 what is staged is seen by nobody until it is published, also when the version moves meanwhile', async () => {
    const node = await TreeHarness.open();
    const write = (key: number, revision: number, sub: number, liveDelta: number): TreeWrite => ({
      space: USER_SPACE, key: keyOf(key), revision, sub, tombstone: liveDelta < 0, liveDelta, value: utf8('v'),
    });
    node.write([write(1, 2, 0, 1), write(2, 2, 1, 1)]);
    node.seal();
    const early = node.tree.view();
    const seen = (view: ReadView): readonly [number, number, boolean] => [
      [...view.scan(USER_SPACE, { from: keyOf(0), to: undefined, atRevision: 9 })].length, view.countLive(keyOf(0), undefined),
      view.get(USER_SPACE, keyOf(3), 9) !== undefined,
    ];
    node.tree.stage(write(1, 3, 0, -1));
    assert.deepEqual(seen(node.tree.current), [2, 2, false]);
    await node.flush();
    assert.equal(node.tree.sealedMemtables, 0);
    const between = node.tree.view();
    for (const key of [2, 3]) node.tree.stage(write(key, 3, key - 1, key === 2 ? -1 : 1));
    for (const view of [early, between, node.tree.current]) assert.deepEqual(seen(view), [2, 2, false]);
    assert.throws(() => node.tree.seal(node.lastIndex + 1), /S1/);
    assert.throws(() => node.tree.write([]), /S2/);
    node.tree.publish();
    assert.throws(() => node.tree.publish(), /S2/);
    const late = node.tree.view();
    for (const view of [late, node.tree.current]) assert.deepEqual(seen(view), [1, 1, true]);
    for (const view of [early, between]) assert.deepEqual(seen(view), [2, 2, false]);
    for (const view of [early, between, late]) view.release();
  });
});
