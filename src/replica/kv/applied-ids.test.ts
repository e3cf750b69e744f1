import assert from 'node:assert/strict';
import fc from 'fast-check';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { APPLIED_WINDOW, AppliedIds, RETIRED_WINDOWS, type ProposalId } from './applied-ids.js';

function encoded(ids: AppliedIds): Uint8Array {
  const out = new ByteWriter();
  ids.encode(out);
  return out.finish();
}

function decoded(bytes: Uint8Array): AppliedIds {
  const input = new ByteReader(bytes, 'applied ids');
  const ids = AppliedIds.decode(input);
  input.end();
  return ids;
}

describe('applied ids', () => {
  const sequence = fc.oneof(fc.nat(40), fc.nat(APPLIED_WINDOW * 3));
  const id: fc.Arbitrary<ProposalId> = fc.record({ member: fc.constantFrom(1, 2 ** 53 - 1), incarnation: fc.nat(2), sequence });

  it('D1 agrees with a set of everything ever applied, except for what was evicted, and never runs an id twice', () => {
    fc.assert(fc.property(fc.array(id, { maxLength: 60 }), (tried) => {
      let ids = new AppliedIds();
      const applied = new Set<string>();
      const newest = new Map<number, ProposalId>();
      tried.forEach((one, at) => {
        const name = `${one.member} ${one.incarnation} ${one.sequence}`;
        const top = newest.get(one.member);
        const older = top !== undefined && one.incarnation < top.incarnation;
        const below = top?.incarnation === one.incarnation && one.sequence <= top.sequence - APPLIED_WINDOW;
        const expected = older || below ? 'evicted' : applied.has(name) ? 'duplicate' : 'new';
        assert.equal(ids.classify(one), expected);
        if (expected !== 'new') return;
        ids.record(one);
        applied.add(name);
        if (top === undefined || one.incarnation > top.incarnation || one.sequence > top.sequence) newest.set(one.member, one);
        if (at % 7 === 0) ids = decoded(encoded(ids));
      });
    }));
  });

  it('S2 equal content is equal bytes, whatever way it came about', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.nat(200), { maxLength: 50 }), fc.nat(9), (sequences, seed) => {
      const one = new AppliedIds();
      const other = new AppliedIds();
      const record = (ids: AppliedIds, s: number): void => {
        for (const member of [3, 1]) ids.record({ member, incarnation: 1, sequence: s });
      };
      for (const s of sequences) record(one, s);
      for (const s of [...sequences].sort((a, b) => ((a * 7 + seed) % 11) - ((b * 7 + seed) % 11))) record(other, s);
      assert.deepEqual(encoded(one), encoded(other));
    }));
  });

  it('a member without losses costs a few bytes', () => {
    const ids = new AppliedIds();
    for (let s = 1; s < 100_000; s++) ids.record({ member: 7, incarnation: 2, sequence: s });
    assert.ok(encoded(ids).length < 16);
    assert.equal(ids.classify({ member: 7, incarnation: 2, sequence: 99_999 - APPLIED_WINDOW }), 'evicted');
    assert.equal(ids.classify({ member: 7, incarnation: 2, sequence: 100_000 - APPLIED_WINDOW }), 'duplicate');
  });

  it('a sequence that takes the place of an applied one is new', () => {
    const ids = new AppliedIds();
    const at = (sequence: number): ProposalId => ({ member: 1, incarnation: 1, sequence });
    for (const sequence of [5, APPLIED_WINDOW + 4, APPLIED_WINDOW + 6]) ids.record(at(sequence));
    assert.equal(ids.classify(at(APPLIED_WINDOW + 5)), 'new');
    assert.equal(ids.classify(at(APPLIED_WINDOW + 4)), 'duplicate');
  });

  it('damage is refused', () => {
    const ids = new AppliedIds();
    for (const sequence of [1, 2, 5]) for (const member of [1, 2]) ids.record({ member, incarnation: 1, sequence });
    const good = encoded(ids);
    for (let length = 0; length < good.length; length++) assert.throws(() => decoded(good.subarray(0, length)), CodecError);
    assert.throws(() => decoded(Uint8Array.from([1, 1, 1, 1, 4, 9])), /run of 9/);
    assert.throws(() => decoded(Uint8Array.from([1, 1, 1, 1, 4, 0])), /run of 0/);
    assert.throws(() => decoded(Uint8Array.from([3, 0])), /format/);
    assert.throws(() => decoded(Uint8Array.from([2, 9, 1])), CodecError);
  });

  it('D1 what a removed member proposed never runs twice: its window is kept until many more were removed, then all is evicted', () => {
    let ids = new AppliedIds();
    const at = (member: number, sequence: number): ProposalId => ({ member, incarnation: 2, sequence });
    const others = Array.from({ length: RETIRED_WINDOWS }, (_, i) => 101 + i);
    for (const member of [5, ...others]) ids.record(at(member, 1));
    ids.retire(5);
    assert.equal(ids.classify(at(5, 1)), 'duplicate');
    assert.equal(ids.classify(at(5, 2)), 'new');
    ids.record(at(5, 2));
    for (const member of others) {
      assert.equal(ids.classify(at(5, 2)), 'duplicate', `before ${member} is removed`);
      ids.retire(member);
      ids = decoded(encoded(ids));
    }
    for (const sequence of [1, 2, 3]) assert.equal(ids.classify(at(5, sequence)), 'evicted');
    assert.equal(ids.classify(at(101, 1)), 'duplicate');
    assert.equal(ids.classify({ member: 101, incarnation: 1, sequence: 9 }), 'evicted');
    ids.retire(7);
    assert.equal(ids.classify(at(7, 1)), 'evicted');
  });
});
