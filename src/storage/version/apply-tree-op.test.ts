import { strict as assert } from 'node:assert';
import fc from 'fast-check';
import { toHex, utf8 } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { comparePrefixes, encodeInternalKey } from '../base/key.js';
import { USER_SPACE } from '../base/read-view.js';
import { LEVELS } from '../base/settings.js';
import { applyTreeOp, type OpOutcome } from './apply-tree-op.js';
import { Version } from './version.js';
import { decodeTreeOp, encodeManifest, encodeTreeOp } from './manifest-codec.js';
import { decodeManifest } from './testing/decode-manifest.js';
import { overlaps } from '../table/key-span.js';
import type { ProducedTable, TableMeta, TableRef } from '../table/table-meta.js';
import { SMALL_FORMAT } from '../testing/tree-harness.js';
import type { TreeOp } from './tree-op.js';

const key = (k: string, revision = 5): Uint8Array => encodeInternalKey(USER_SPACE, utf8(k), revision, 0);
const digestOf = (n: number): string => n.toString(16).padStart(32, '0');

function produced(sequence: number, ordinal: number, from: string, to: string, digest = sequence * 100 + ordinal): ProducedTable {
  return {
    birth: { term: 1, proposer: 7, sequence, ordinal },
    bytes: 1000, rootDigest: digestOf(1), fileDigest: digestOf(digest),
    smallest: key(from), largest: key(to),
    entries: 10, tombstones: 1, minRevision: 2, maxRevision: 9, liveDelta: -3,
    scheme: SMALL_FORMAT.scheme,
  };
}

class Log {
  manifest = Version.empty();
  index = 0;
  apply(op: TreeOp): OpOutcome {
    const { manifest, outcome } = applyTreeOp(this.manifest, op, { index: ++this.index, term: 1 });
    this.manifest = manifest;
    return outcome;
  }
  refused(op: TreeOp, why: RegExp): void {
    const before = this.manifest;
    const outcome = this.apply(op);
    assert(outcome.kind === 'refused', `${op.kind} was ${outcome.kind}`);
    assert.match(outcome.why, why);
    assert.equal(toHex(encodeManifest(this.manifest.with({ last: before.last }))), toHex(encodeManifest(before)), 'a refused op changes nothing');
    assert.deepEqual(this.manifest.last, { index: this.index, term: 1 });
  }
  seal(): number {
    assert.equal(this.apply({ kind: 'seal', proposer: 7, format: SMALL_FORMAT }).kind, 'sealed');
    return this.index;
  }
  flush(from: string, to: string): TableMeta {
    const sequence = this.seal();
    const outcome = this.apply({ kind: 'edit', plan: sequence, removed: [], added: [produced(sequence, 0, from, to)] });
    assert(outcome.kind === 'edited');
    return outcome.added[0] as TableMeta;
  }
  plan(inputs: readonly TableMeta[], outputLevel: number): TreeOp {
    const refs = inputs.map((t) => ({ id: t.id, digest: t.fileDigest }));
    return planOp(refs, outputLevel);
  }
  /** Moves tables down without merging anything. */
  compact(inputs: readonly TableMeta[], outputLevel: number, spans: readonly (readonly [string, string])[]): readonly TableMeta[] {
    const outcome = this.apply(this.plan(inputs, outputLevel));
    assert(outcome.kind === 'planned', outcome.kind === 'refused' ? outcome.why : '');
    const added = spans.map(([from, to], i) => produced(outcome.plan.index, i, from, to));
    const edited = this.apply({ kind: 'edit', plan: outcome.plan.index, removed: outcome.plan.inputs, added });
    assert(edited.kind === 'edited', edited.kind === 'refused' ? edited.why : '');
    return edited.added;
  }
}

describe('applyTreeOp', () => {
  it('S3 a flush edit must name the oldest unflushed seal, and only outputs born of it', () => {
    const log = new Log();
    const first = log.seal();
    const second = log.seal();
    log.refused({ kind: 'edit', plan: second, removed: [], added: [produced(second, 0, 'a', 'b')] }, /neither the oldest seal/);
    log.refused({ kind: 'edit', plan: first, removed: [], added: [produced(second, 0, 'a', 'b')] }, /was not born/);
    log.refused({ kind: 'edit', plan: first, removed: [], added: [produced(first, 1, 'a', 'b')] }, /was not born/);
    log.refused({ kind: 'edit', plan: first, removed: [], added: [produced(first, 0, 'b', 'a')] }, /ends before/);
    log.refused({ kind: 'edit', plan: first, removed: [], added: [produced(first, 0, 'a', 'c'), produced(first, 1, 'c', 'd')] }, /overlaps/);
    log.refused({ kind: 'edit', plan: first, removed: [{ id: 1, digest: digestOf(1) }], added: [] }, /removes nothing/);
    assert.equal(log.manifest.nextTableId, 1);
    assert.equal(log.apply({ kind: 'edit', plan: first, removed: [], added: [produced(first, 0, 'a', 'b')] }).kind, 'edited');
    assert.equal(log.manifest.flushed.index, first);
    log.refused({ kind: 'edit', plan: first, removed: [], added: [produced(first, 0, 'a', 'b')] }, /neither/);
    log.refused({ kind: 'abandon', plan: second }, /not pending/);
    assert.equal(log.apply({ kind: 'edit', plan: second, removed: [], added: [] }).kind, 'edited', 'an empty memtable gives no table');
  });

  it('S3 a plan needs live inputs of that digest that are not busy', () => {
    const log = new Log();
    const a = log.flush('a', 'c');
    log.refused(log.plan([], 1), /0 inputs/);
    log.refused(log.plan([{ ...a, id: 99 }], 1), /not live/);
    log.refused(log.plan([{ ...a, fileDigest: digestOf(9) }], 1), /another digest/);
    log.refused(log.plan([a, a], 1), /twice/);
    log.refused(log.plan([a], 0), /output level/);
    log.refused(log.plan([a], LEVELS), /output level/);
    assert.equal(log.apply(log.plan([a], 1)).kind, 'planned');
    log.refused(log.plan([a], 1), /busy/);
    log.refused({ kind: 'heal-edit', removed: { id: a.id, digest: a.fileDigest } }, /busy/);
    assert.equal(log.apply({ kind: 'abandon', plan: log.index - 2 }).kind, 'abandoned');
    assert.equal(log.apply(log.plan([a], 1)).kind, 'planned');
  });

  it('S3 a plan must not bring newer data below older', () => {
    const log = new Log();
    const old = log.flush('a', 'm');
    const young = log.flush('h', 'z');
    const apart = log.flush('zz', 'zzz');
    log.refused(log.plan([young], 1), /older than input/);
    assert.equal(log.apply(log.plan([apart], 1)).kind, 'planned', 'what shares no key may go');
    log.compact([young, old], 1, [['a', 'z']]);
    const [deep] = log.manifest.levels[1] as readonly TableMeta[];
    const next = log.flush('b', 'c');
    log.refused(log.plan([next], 1), /output level overlaps/);
    log.refused(log.plan([next], 2), /older than input/);
    log.refused(log.plan([deep as TableMeta, next], 0), /output level 0/);
  });

  it('S3 two pending plans never write the same span of a level', () => {
    const log = new Log();
    const a = log.flush('a', 'b');
    const z = log.flush('y', 'z');
    const middle = log.flush('m', 'n');
    assert.equal(log.apply(log.plan([z, a], 1)).kind, 'planned');
    log.refused(log.plan([middle], 1), /same span/);
    assert.equal(log.apply(log.plan([middle], 2)).kind, 'planned');
  });

  it('S3 a compaction edit must remove exactly its inputs and stay within their span', () => {
    const log = new Log();
    const a = log.flush('c', 'd');
    const b = log.flush('e', 'f');
    log.apply(log.plan([a, b], 1));
    const plan = log.index;
    const removed = [a, b].map((t) => ({ id: t.id, digest: t.fileDigest }));
    const edit = (added: readonly ProducedTable[], refs = removed): TreeOp => ({ kind: 'edit', plan, removed: refs, added });
    log.refused(edit([produced(plan, 0, 'c', 'f')], removed.slice(1)), /not the inputs/);
    log.refused(edit([produced(plan, 0, 'c', 'f')], [removed[1], removed[0]] as typeof removed), /not the inputs/);
    log.refused(edit([produced(plan, 0, 'b', 'f')]), /beyond the inputs/);
    log.refused(edit([{ ...produced(plan, 0, 'c', 'f'), scheme: { kind: 'none' } }]), /scheme/);
    log.refused(edit([{ ...produced(plan, 0, 'c', 'f'), smallest: utf8('x') }]), /no keys/);
    assert.equal(log.apply(edit([produced(plan, 0, 'c', 'd'), produced(plan, 1, 'e', 'f')])).kind, 'edited');
    assert.deepEqual(log.manifest.levels[1]?.map((t) => t.id), [3, 4]);
    log.refused(edit([produced(plan, 0, 'c', 'f')]), /neither/);
  });

  it('S3 a heal edit gives the same content a new id in the same place', () => {
    const log = new Log();
    const a = log.flush('a', 'c');
    const b = log.flush('b', 'd');
    log.refused({ kind: 'heal-edit', removed: { id: a.id, digest: digestOf(77) } }, /another digest/);
    log.refused({ kind: 'heal-edit', removed: { id: 12, digest: digestOf(77) } }, /not live/);
    const outcome = log.apply({ kind: 'heal-edit', removed: { id: a.id, digest: a.fileDigest } });
    assert(outcome.kind === 'edited');
    assert.equal(outcome.sequence, undefined);
    assert.deepEqual(log.manifest.levels[0], [b, { ...a, id: 3 }]);
    log.refused({ kind: 'heal-edit', removed: { id: a.id, digest: a.fileDigest } }, /not live/);
  });

  it('S2 tombstones may go only where nothing older lies below, as the plan found it', () => {
    const log = new Log();
    const a = log.flush('a', 'c');
    const [deep] = log.compact([a], 2, [['a', 'c']]);
    const b = log.flush('b', 'b');
    const apart = log.flush('x', 'y');
    log.apply(log.plan([b], 1));
    log.apply(log.plan([apart], 1));
    assert.deepEqual(log.manifest.plans.map((p) => p.bottommost), [false, true]);
    assert.equal(deep?.id, 2);
  });
});

function planOp(inputs: readonly TableRef[], outputLevel: number): TreeOp {
  return { kind: 'plan', proposer: 7, purpose: 'compact', inputs, outputLevel, gcRevision: 0, format: SMALL_FORMAT };
}

/** Random ops: right, stale and bogus ones. */
function randomOp(manifest: Version, history: readonly TableMeta[], n: number, m: number): TreeOp {
  const letters = 'abcdefghijklmnop';
  const from = letters[m % 16] as string;
  const to = letters[Math.min(15, (m % 16) + (n % 4))] as string;
  const some = (tables: readonly TableMeta[]): TableMeta[] => tables.filter((_, i) => (n >> i) & 1);
  const live = manifest.list();
  const refs = (tables: readonly TableMeta[]) => tables.map((t) => ({ id: t.id, digest: t.fileDigest }));
  const plan = manifest.plans[m % Math.max(1, manifest.plans.length)];
  switch (n % 9) {
    case 0:
      return { kind: 'seal', proposer: 7, format: SMALL_FORMAT };
    case 1:
    case 2: {
      const sequence = manifest.seals[m % 5 === 0 ? 1 : 0]?.index ?? m;
      return { kind: 'edit', plan: sequence, removed: [], added: [produced(sequence, 0, from, to, n * 1000 + m)] };
    }
    case 3:
    case 4: {
      const level = m % 3;
      const tables = manifest.levels[level] ?? [];
      const inputs = level === 0 ? tables.slice(-(1 + (n % 3))) : tables.slice(n % 3, (n % 3) + 1);
      const below = (manifest.levels[level + 1] ?? []).filter((t) => inputs.some((i) => overlaps(t, i)));
      return planOp(refs([...inputs, ...below]), level + 1);
    }
    case 5: {
      if (plan === undefined) return { kind: 'abandon', plan: m };
      const inputs = plan.inputs.map((ref) => live.find((t) => t.id === ref.id) as TableMeta);
      inputs.sort((x, y) => comparePrefixes(x.smallest, y.smallest));
      const first = inputs[0] as TableMeta;
      const widest = inputs.reduce((x, y) => (comparePrefixes(x.largest, y.largest) >= 0 ? x : y));
      const added = { ...produced(plan.index, 0, 'a', 'a', n * 1000 + m), smallest: first.smallest, largest: widest.largest };
      return { kind: 'edit', plan: plan.index, removed: plan.inputs, added: m % 4 === 0 ? [] : [added] };
    }
    case 6:
      return { kind: 'heal-edit', removed: refs(history)[m % Math.max(1, history.length)] ?? { id: m, digest: digestOf(m) } };
    case 7:
      return planOp(refs(some(m % 2 ? live : history)).slice(0, 5), m % 8);
    default:
      return { kind: 'abandon', plan: plan?.index ?? m };
  }
}

describe('the logical manifest under random ops', () => {
  it('S2 S3 is the same function everywhere, keeps levels ordered, and never gives an id twice', () => {
    let edits = 0;
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(1 << 16), fc.nat(1 << 16)), { minLength: 30, maxLength: 150 }), (steps) => {
        let manifest = Version.empty();
        let twin = Version.empty();
        const history: TableMeta[] = [];
        let index = 0;
        for (const [n, m] of steps) {
          const op = randomOp(manifest, history, n, m);
          index += 1 + (n % 3);
          const applied = applyTreeOp(manifest, op, { index, term: 1 });
          // The other replica gets the op from bytes, and its manifest too.
          twin = applyTreeOp(decodeManifest(encodeManifest(twin)), decodeTreeOp(encodeTreeOp(op)), { index, term: 1 }).manifest;
          assert.equal(toHex(encodeManifest(twin)), toHex(encodeManifest(applied.manifest)));
          if (applied.outcome.kind === 'refused') {
            assert.equal(applied.manifest.levels, manifest.levels);
            assert.equal(applied.manifest.nextTableId, manifest.nextTableId);
          }
          if (applied.outcome.kind === 'edited') {
            edits++;
            for (const table of applied.outcome.added) assert(history.every((t) => t.id < table.id), 'ids ascend');
            history.push(...applied.outcome.added);
          }
          manifest = applied.manifest;
          for (const tables of manifest.levels.slice(1)) {
            for (let i = 1; i < tables.length; i++) {
              assert(comparePrefixes((tables[i - 1] as TableMeta).largest, (tables[i] as TableMeta).smallest) < 0, 'levels are disjoint and sorted');
            }
          }
          const live = new Set(manifest.list().map((t) => t.id));
          const inputs = manifest.plans.flatMap((p) => p.inputs.map((ref) => ref.id));
          assert(inputs.every((id) => live.has(id)), 'S5 inputs of pending plans are live');
          assert.equal(new Set(inputs).size, inputs.length, 'no table is busy twice');
        }
      }),
      { numRuns: 150 },
    );
    assert(edits > 1000, `the ops are not all refused (${edits} edits)`);
  });

  it('decoding damaged manifests and ops throws CodecError and nothing else', () => {
    const log = new Log();
    log.flush('a', 'c');
    log.flush('b', 'd');
    log.apply(log.plan([...(log.manifest.levels[0] as TableMeta[])], 1));
    log.seal();
    const bytes = encodeManifest(log.manifest);
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), fc.nat(bytes.length), (at, flip, cut) => {
        const broken = bytes.slice(0, cut % 3 === 0 ? cut : bytes.length);
        if (at < broken.length) broken[at] = (broken[at] as number) ^ flip;
        try {
          decodeManifest(broken);
          decodeTreeOp(broken);
        } catch (error) {
          assert(error instanceof CodecError, String(error));
        }
      }),
      { numRuns: 500 },
    );
  });
});
