/** etcd's semantics sentence by sentence. Comments name no source: each title is the claim. */

import assert from 'node:assert/strict';
import { Harness, refusal } from './testing/harness.js';
import { TO_END, bytes, compareOf, op, txnOf } from './testing/requests.js';
import { isReadOnlyTxn, isSerializableTxn } from './txn.js';
import type { KeyValue, RangeResponse } from '../../api/requests.js';

const text = (b: Uint8Array): string => Buffer.from(b).toString('latin1');
const keys = (response: { kvs: readonly KeyValue[] }): string => response.kvs.map((kv) => text(kv.key)).join(' ');
const show = (kv: KeyValue | undefined): string =>
  kv === undefined
    ? 'none'
    : `${text(kv.key)}=${text(kv.value)} c${kv.createRevision} m${kv.modRevision} v${kv.version} l${kv.lease}`;

let kv: Harness;
beforeEach(() => { kv = Harness.onMemory(); });

/** Revisions 2 to 6: a b c d, then a again. */
function fill(): void {
  kv.put('a', '3');
  kv.put('b', '1');
  kv.put('c', '2');
  kv.put('d', '1');
  kv.put('a', '4');
}

describe('etcd revisions', () => {
  it('an empty store is at revision 1', () => {
    assert.equal(kv.range('a').revision, 1);
  });

  it('each put, effective delete and writing txn adds exactly one; what changes nothing adds none', () => {
    assert.equal(kv.put('a', '1').revision, 2);
    assert.equal(kv.put('a', '1').revision, 3);
    assert.equal(kv.del('a').revision, 4);
    assert.equal(kv.del('a').revision, 4);
    assert.equal(kv.del('a', 'z').revision, 4);
    assert.equal(kv.txn([], [op.range('a')]).revision, 4);
    assert.equal(kv.txn([], [op.del('a')]).revision, 4);
    assert.equal(kv.txn([], []).revision, 4);
    assert.equal(kv.txn([], [op.put('a', '1'), op.put('b', '1'), op.del('c')]).revision, 5);
    assert.equal(kv.machine.revision, 5);
  });

  it('version counts from 1 and starts again after a delete, with a new create revision', () => {
    kv.put('a', 'x');
    kv.put('a', 'y');
    assert.equal(show(kv.range('a').kvs[0]), 'a=y c2 m3 v2 l0');
    kv.del('a');
    kv.put('a', 'z');
    assert.equal(show(kv.range('a').kvs[0]), 'a=z c5 m5 v1 l0');
  });

  it('all keys changed by a txn share its revision', () => {
    kv.txn([], [op.put('b', '1'), op.put('a', '2')]);
    assert.deepEqual(kv.range('a', 'z').kvs.map(show), ['a=2 c2 m2 v1 l0', 'b=1 c2 m2 v1 l0']);
  });

  it('a read shows the store revision of now, also when it reads the past', () => {
    fill();
    assert.equal(kv.range('a', '', { revision: 2 }).revision, 6);
    assert.equal(show(kv.range('a', '', { revision: 2 }).kvs[0]), 'a=3 c2 m2 v1 l0');
  });
});

describe('etcd ranges', () => {
  beforeEach(fill);
  const cases: [string, Parameters<Harness['range']>, string][] = [
    ['no end is a single key', ['b'], 'b'],
    ['the end is not included', ['b', 'd'], 'b c'],
    ['an end of one zero byte is everything from the key on', ['c', TO_END], 'c d'],
    ['key and end of one zero byte are everything', ['\0', TO_END], 'a b c d'],
    ['an end before the key is empty', ['c', 'a'], ''],
    ['an end equal to the key is empty', ['c', 'c'], ''],
    ['limit cuts in key order', ['a', 'z', { limit: 2 }], 'a b'],
    ['limit 0 is none', ['a', 'z', { limit: 0 }], 'a b c d'],
    ['a negative limit is none', ['a', 'z', { limit: -3 }], 'a b c d'],
    ['a negative revision is the newest', ['a', 'z', { revision: -1 }], 'a b c d'],
    ['descending by key', ['a', 'z', { sortOrder: 'descend', limit: 3 }], 'd c b'],
    ['a sort target with order none sorts ascending', ['a', 'z', { sortTarget: 'value' }], 'b d c a'],
    ['ascending by value, ties in key order', ['a', 'z', { sortTarget: 'value', sortOrder: 'ascend' }], 'b d c a'],
    ['descending by value, ties in key order', ['a', 'z', { sortTarget: 'value', sortOrder: 'descend' }], 'a c b d'],
    ['descending by mod', ['a', 'z', { sortTarget: 'mod', sortOrder: 'descend', limit: 2 }], 'a d'],
    ['descending by create', ['a', 'z', { sortTarget: 'create', sortOrder: 'descend', limit: 2 }], 'd c'],
    ['descending by version', ['a', 'z', { sortTarget: 'version', sortOrder: 'descend', limit: 1 }], 'a'],
    ['a limit with a sort target but no order cuts in key order first',
      ['a', 'z', { sortTarget: 'value', limit: 1 }], 'b'],
    ['a limit with a sort target and an order sorts first',
      ['a', 'z', { sortTarget: 'mod', sortOrder: 'ascend', limit: 1 }], 'b'],
    ['least mod revision', ['a', 'z', { minModRevision: 4 }], 'a c d'],
    ['greatest mod revision', ['a', 'z', { maxModRevision: 4 }], 'b c'],
    ['least create revision', ['a', 'z', { minCreateRevision: 3 }], 'b c d'],
    ['greatest create revision', ['a', 'z', { maxCreateRevision: 3 }], 'a b'],
    ['a filter comes before the limit', ['a', 'z', { minModRevision: 4, limit: 2 }], 'a c'],
    ['a filter applies to a single key', ['b', '', { minModRevision: 4 }], ''],
    ['a past revision', ['a', 'z', { revision: 3 }], 'a b'],
  ];
  for (const [title, args, expected] of cases) {
    it(title, () => assert.equal(keys(kv.range(...args)), expected));
  }

  it('a cut at the limit without an order sorts one key more than the limit', () => {
    assert.equal(keys(kv.range('a', 'z', { sortTarget: 'mod', limit: 2 })), 'b c');
    assert.equal(keys(kv.range('a', 'z', { sortTarget: 'mod', limit: 3 })), 'b c d');
    kv.put('e', '0');
    assert.equal(keys(kv.range('a', 'z', { sortTarget: 'value', limit: 1 })), 'b');
    assert.equal(keys(kv.range('a', 'z', { sortTarget: 'value', limit: 1, sortOrder: 'ascend' })), 'e');
  });

  it('count ignores limit and filters, more tells of a cut', () => {
    const of = (r: RangeResponse): string => `${r.kvs.length} ${r.more} ${r.count}`;
    assert.equal(of(kv.range('a', 'z', { limit: 2 })), '2 true 4');
    assert.equal(of(kv.range('a', 'z', { limit: 4 })), '4 false 4');
    assert.equal(of(kv.range('a', 'z', { minModRevision: 4 })), '3 false 4');
    assert.equal(of(kv.range('a', 'z', { minModRevision: 4, limit: 2 })), '2 true 4');
    assert.equal(of(kv.range('a', 'z', { minModRevision: 4, limit: 3 })), '3 false 4');
    assert.equal(of(kv.range('a', 'z', { limit: 1, revision: 4 })), '1 true 3');
    assert.equal(of(kv.range('a', 'z', { limit: 1, sortTarget: 'mod', sortOrder: 'descend' })), '1 true 4');
    assert.equal(of(kv.range('c', 'a')), '0 false 0');
    assert.equal(of(kv.range('b', '', { minModRevision: 9 })), '0 false 1');
  });

  it('count_only gives no keys and no more, and the whole count even with a limit', () => {
    for (const revision of [0, 6]) {
      assert.deepEqual(kv.range('a', 'z', { countOnly: true, limit: 2, revision }), { revision: 6, kvs: [], more: false, count: 4 });
    }
    assert.equal(kv.range('a', 'z', { countOnly: true, revision: 4 }).count, 3);
    assert.equal(kv.range('a', '', { countOnly: true }).count, 1);
    assert.equal(kv.range('x', '', { countOnly: true }).count, 0);
    kv.del('b', 'd');
    assert.equal(kv.range('a', 'z', { countOnly: true }).count, 2);
    assert.equal(kv.range('a', 'z', { countOnly: true, revision: 6 }).count, 4);
  });

  it('keys_only leaves the value out and all else in, also when sorted by value', () => {
    assert.deepEqual(kv.range('a', 'c', { keysOnly: true }).kvs.map(show), ['a= c2 m6 v2 l0', 'b= c3 m3 v1 l0']);
    const sorted = kv.range('a', 'z', { keysOnly: true, sortTarget: 'value', sortOrder: 'descend' });
    assert.equal(sorted.kvs.map(show)[0], 'a= c2 m6 v2 l0');
    assert.equal(show(kv.range('a', '', { keysOnly: true }).kvs[0]), 'a= c2 m6 v2 l0');
  });

  it('keys are ordered as unsigned bytes', () => {
    for (const key of ['\x80', '\xff', '\x7f', '\x01\0', '\x01']) kv.put(key, '');
    assert.equal(keys(kv.range('\0', TO_END)), '\x01 \x01\0 a b c d \x7f \x80 \xff');
  });

  it('a limited range reads no more keys than it needs', () => {
    kv.tree.reads = 0;
    kv.range('a', 'z', { limit: 1 });
    assert.ok(kv.tree.reads <= 3, `${kv.tree.reads} keys read`);
    kv.tree.reads = 0;
    kv.range('a', 'z', { limit: 1, sortOrder: 'descend' });
    assert.ok(kv.tree.reads <= 3, `${kv.tree.reads} keys read`);
    kv.tree.reads = 0;
    kv.range('a', 'z', { countOnly: true });
    assert.equal(kv.tree.reads, 0);
  });
});

describe('etcd puts and deletes', () => {
  it('prev_kv is given only when asked for and only when there was one', () => {
    assert.equal(kv.put('a', '1', { prevKv: true }).prevKv, undefined);
    assert.equal(kv.put('a', '2').prevKv, undefined);
    assert.equal(show(kv.put('a', '3', { prevKv: true }).prevKv), 'a=2 c2 m3 v2 l0');
    kv.del('a');
    assert.equal(kv.put('a', '4', { prevKv: true }).prevKv, undefined);
  });

  it('ignore_value keeps the value and needs one', () => {
    assert.equal(refusal(() => kv.put('a', '', { ignoreValue: true })), 'KEY_NOT_FOUND');
    assert.equal(refusal(() => kv.put('a', '', { ignoreLease: true })), 'KEY_NOT_FOUND');
    kv.put('a', 'kept');
    assert.equal(kv.put('a', '', { ignoreValue: true }).revision, 3);
    assert.equal(show(kv.range('a').kvs[0]), 'a=kept c2 m3 v2 l0');
    kv.put('a', 'new', { ignoreLease: true });
    assert.equal(show(kv.range('a').kvs[0]), 'a=new c2 m4 v3 l0');
    kv.del('a');
    assert.equal(refusal(() => kv.put('a', '', { ignoreValue: true })), 'KEY_NOT_FOUND');
    assert.equal(kv.machine.revision, 5);
  });

  it('an unknown lease is refused, in a txn too', () => {
    assert.equal(refusal(() => kv.put('a', '', { lease: 7n })), 'LEASE_NOT_FOUND');
    assert.equal(refusal(() => kv.txn([], [op.put('a', '', { lease: 7n })])), 'LEASE_NOT_FOUND');
    assert.equal(kv.machine.revision, 1);
  });

  it('a put without a lease detaches the old one, ignore_lease keeps it', () => {
    const leased = Harness.onMemory();
    leased.run({ kind: 'lease-grant', request: { id: 0x7fff_ffff_ffff_ffffn, ttl: 10 } });
    leased.put('a', '1', { lease: 0x7fff_ffff_ffff_ffffn });
    assert.equal(show(leased.range('a').kvs[0]), 'a=1 c2 m2 v1 l9223372036854775807');
    leased.put('a', '2', { ignoreLease: true });
    assert.equal(show(leased.range('a').kvs[0]), 'a=2 c2 m3 v2 l9223372036854775807');
    leased.put('a', '3');
    assert.equal(show(leased.range('a').kvs[0]), 'a=3 c2 m4 v3 l0');
  });

  it('a delete gives the count, and the previous pairs only when asked', () => {
    fill();
    assert.deepEqual(kv.del('a', 'c'), { revision: 7, deleted: 2, prevKvs: [] });
    const second = kv.del('\0', TO_END, true);
    assert.deepEqual(second.prevKvs.map(show), ['c=2 c4 m4 v1 l0', 'd=1 c5 m5 v1 l0']);
    assert.deepEqual(kv.del('\0', TO_END, true), { revision: 8, deleted: 0, prevKvs: [] });
    assert.deepEqual(kv.del('d', 'a'), { revision: 8, deleted: 0, prevKvs: [] });
    assert.equal(keys(kv.range('\0', TO_END, { revision: 6 })), 'a b c d');
  });

  it('the delete of one key gives its previous pair', () => {
    kv.put('a', '1');
    assert.equal(show(kv.del('a', '', true).prevKvs[0]), 'a=1 c2 m2 v1 l0');
  });
});

describe('etcd transactions', () => {
  beforeEach(fill);

  it('an empty compare list is true, several are AND-ed', () => {
    assert.equal(kv.txn([], [op.range('a')]).succeeded, true);
    const yes = compareOf('a', { kind: 'version', version: 2 });
    const no = compareOf('a', { kind: 'version', version: 1 });
    assert.equal(kv.txn([yes, yes], []).succeeded, true);
    assert.equal(kv.txn([yes, no], [op.put('x', '')], [op.put('y', '')]).succeeded, false);
    assert.equal(keys(kv.range('x', 'z')), 'y');
  });

  const compares: [string, Parameters<typeof compareOf>, boolean][] = [
    ['version equal', ['a', { kind: 'version', version: 2 }], true],
    ['create greater', ['b', { kind: 'create', revision: 2 }, 'greater'], true],
    ['mod less', ['a', { kind: 'mod', revision: 6 }, 'less'], false],
    ['value not equal', ['a', { kind: 'value', value: bytes('3') }, 'not-equal'], true],
    ['value greater', ['a', { kind: 'value', value: bytes('3') }, 'greater'], true],
    ['lease equal to none', ['a', { kind: 'lease', lease: 0n }], true],
    ['lease less', ['a', { kind: 'lease', lease: 5n }, 'less'], true],
    ['a missing key has version 0', ['x', { kind: 'version', version: 0 }], true],
    ['a missing key has create revision 0', ['x', { kind: 'create', revision: 0 }], true],
    ['a missing key has mod revision below 1', ['x', { kind: 'mod', revision: 1 }, 'less'], true],
    ['a missing key has lease 0', ['x', { kind: 'lease', lease: 0n }], true],
    ['the value of a missing key equals nothing', ['x', { kind: 'value', value: bytes('') }], false],
    ['the value of a missing key differs from nothing', ['x', { kind: 'value', value: bytes('') }, 'not-equal'], false],
    ['a range holds if all its keys do', ['a', { kind: 'version', version: 0 }, 'greater', 'z'], true],
    ['a range fails if one key does', ['a', { kind: 'version', version: 1 }, 'equal', 'z'], false],
    ['a range to the end', ['b', { kind: 'version', version: 1 }, 'equal', TO_END], true],
    ['an empty range is one missing key', ['x', { kind: 'version', version: 0 }, 'equal', 'z'], true],
    ['an empty range of values is false', ['x', { kind: 'value', value: bytes('') }, 'not-equal', 'z'], false],
    ['an inverted range is one missing key', ['c', { kind: 'version', version: 0 }, 'equal', 'a'], true],
    ['an unknown result is true', ['a', { kind: 'version', version: 77 }, 'unknown'], true],
    ['an unknown target is equal', ['a', { kind: 'unknown' }], true],
    ['an unknown target is not greater', ['a', { kind: 'unknown' }, 'greater'], false],
  ];
  for (const [title, args, expected] of compares) {
    it(`compare: ${title}`, () => {
      assert.equal(kv.txn([compareOf(...args)], [op.put('t', '')]).succeeded, expected);
      assert.equal(kv.readTxn(txnOf([compareOf('t', { kind: 'version', version: 0 })], [])).succeeded, !expected);
    });
  }

  it('operations run in order, a range sees what came before, inner headers follow', () => {
    const response = kv.txn([], [
      op.range('a', 'z', { countOnly: true }), op.put('e', '5', { prevKv: true }), op.range('d', 'z'), op.del('a', 'c', true),
      op.range('\0', TO_END), op.range('a'), op.range('\0', TO_END, { countOnly: true }),
      op.range('\0', TO_END, { revision: 6 }), op.range('\0', TO_END, { sortOrder: 'descend', limit: 2 }),
    ]);
    assert.equal(response.revision, 7);
    const shown = response.responses.map((r) => {
      assert.notEqual(r.kind, 'txn');
      if (r.kind === 'range') return `${r.response.revision}: ${keys(r.response)} ${r.response.count}`;
      if (r.kind === 'put') return `${r.response.revision}: ${show(r.response.prevKv)}`;
      return r.kind === 'delete-range' ? `${r.response.revision}: ${r.response.deleted} ${r.response.prevKvs.map(show).join()}` : '';
    });
    assert.deepEqual(shown, [
      '6:  4', '7: none', '7: d e 2', '7: 2 a=4 c2 m6 v2 l0,b=1 c3 m3 v1 l0', '7: c d e 3', '7:  0', '7:  3', '7: a b c d 4',
      '7: e d 3',
    ]);
  });

  it('two deletes may overlap, the second deletes what is left', () => {
    const response = kv.txn([], [op.del('a', 'c'), op.del('a', 'd'), op.del('a')]);
    assert.deepEqual(response.responses.map((r) => (r.kind === 'delete-range' ? r.response.deleted : -1)), [2, 1, 0]);
    assert.equal(keys(kv.range('\0', TO_END)), 'd');
    assert.equal(kv.range('\0', TO_END, { countOnly: true }).count, 1);
  });

  it('a delete that finds nothing has the old revision unless something changed before it', () => {
    const response = kv.txn([], [op.del('x'), op.put('y', ''), op.del('x')]);
    assert.deepEqual(response.responses.map((r) => (r.kind === 'txn' ? 0 : r.response.revision)), [6, 7, 7]);
  });

  it('compares of nested transactions see the store as it was before the outermost', () => {
    const missing = compareOf('n', { kind: 'version', version: 0 });
    const response = kv.txn([], [op.put('n', '1'), op.txn([missing], [op.put('m', 'was missing')], [op.put('m', 'was there')])]);
    assert.deepEqual(response.responses[1], {
      kind: 'txn',
      response: { revision: 0, succeeded: true, responses: [{ kind: 'put', response: { revision: 7, prevKv: undefined } }] },
    });
    assert.equal(show(kv.range('m').kvs[0]), 'm=was missing c7 m7 v1 l0');
  });

  it('a nested transaction may delete what one beside it put', () => {
    const response = kv.txn([], [op.txn([], [op.put('n', '1')]), op.txn([], [op.del('a', 'z')]), op.range('\0', TO_END)]);
    assert.equal(response.revision, 7);
    const seen = response.responses[2];
    assert.ok(seen?.kind === 'range' && seen.response.kvs.length === 0 && seen.response.count === 0);
    assert.equal(kv.range('\0', TO_END, { countOnly: true }).count, 0);
    assert.equal(keys(kv.range('\0', TO_END)), '');
    kv.put('n', '2');
    assert.equal(show(kv.range('n').kvs[0]), 'n=2 c8 m8 v1 l0');
  });

  it('a put that needs what a delete to the end has just taken refuses the whole, and changes nothing', () => {
    const ops = [op.put('0', ''), op.del('a', TO_END), op.put('b', '', { ignoreValue: true })];
    assert.equal(refusal(() => kv.txn([], ops)), 'KEY_NOT_FOUND');
    assert.equal(keys(kv.range('\0', TO_END)), 'a b c d');
  });

  it('a failing check refuses the whole before anything is applied', () => {
    const before = kv.tree.publications;
    const bad = [
      [op.put('x', '1'), op.range('a', '', { revision: 7 })],
      [op.put('x', '1'), op.put('y', '', { ignoreValue: true })],
      [op.put('x', '1'), op.txn([], [op.put('y', '', { lease: 1n })])],
    ];
    assert.deepEqual(bad.map((ops) => refusal(() => kv.txn([], ops))), ['FUTURE_REVISION', 'KEY_NOT_FOUND', 'LEASE_NOT_FOUND']);
    kv.compact(4);
    assert.equal(refusal(() => kv.txn([], [op.put('x', '1'), op.range('a', '', { revision: 3 })])), 'COMPACTED');
    assert.equal(kv.tree.publications, before);
    assert.equal(kv.machine.revision, 6);
  });

  it('all puts are checked before the first range', () => {
    const ops = [op.range('a', '', { revision: 99 }), op.put('y', '', { ignoreValue: true })];
    assert.equal(refusal(() => kv.txn([], ops)), 'KEY_NOT_FOUND');
  });

  it('errors in the branch not taken do not matter', () => {
    const no = compareOf('a', { kind: 'version', version: 9 });
    const bad = [op.range('a', '', { revision: 99 }), op.put('zz', '', { ignoreValue: true })];
    assert.equal(kv.txn([no], bad, [op.put('x', '')]).revision, 7);
    assert.equal(kv.txn([], [op.txn([no], bad), op.put('x', '')]).revision, 8);
  });

  it('read-only transactions need no log entry; serializable only if every operation is a serializable range', () => {
    const read = op.range('a');
    const stale = op.range('a', '', { serializable: true });
    const is = (t: ReturnType<typeof txnOf>): boolean[] => [isReadOnlyTxn(t), isSerializableTxn(t)];
    assert.deepEqual(is(txnOf([], [read], [stale])), [true, false]);
    assert.deepEqual(is(txnOf([], [stale], [stale, op.txn([], [stale])])), [true, true]);
    assert.deepEqual(is(txnOf([], [stale], [op.put('a', '')])), [false, false]);
    assert.deepEqual(is(txnOf([], [op.txn([], [], [op.del('a')])])), [false, false]);
    assert.deepEqual(is(txnOf([compareOf('a', { kind: 'mod', revision: 1 })], [])), [true, false]);
  });

  it('a read-only transaction answers from a view, with the checks of ranges', () => {
    const response = kv.readTxn(txnOf([compareOf('a', { kind: 'mod', revision: 6 })], [op.range('a', 'c', { limit: 1 })]));
    assert.equal(response.revision, 6);
    const inner = response.responses[0];
    assert.ok(inner?.kind === 'range' && inner.response.more && keys(inner.response) === 'a');
    assert.equal(refusal(() => kv.readTxn(txnOf([], [op.range('a', '', { revision: 7 })]))), 'FUTURE_REVISION');
  });
});

describe('etcd compaction', () => {
  beforeEach(fill);

  it('refuses the past and the future, allows the present, and answers with the present revision', () => {
    assert.equal(refusal(() => kv.compact(7)), 'FUTURE_REVISION');
    assert.deepEqual(kv.compact(3), { revision: 6 });
    assert.equal(refusal(() => kv.compact(3)), 'COMPACTED');
    assert.equal(refusal(() => kv.compact(2)), 'COMPACTED');
    assert.equal(refusal(() => kv.compact(-1)), 'COMPACTED');
    assert.deepEqual(kv.compact(6), { revision: 6 });
    assert.equal(kv.machine.compactRevision, 6);
  });

  it('the compacted revision is readable, older ones are not, future ones neither', () => {
    kv.compact(4);
    assert.equal(refusal(() => kv.range('a', '', { revision: 3 })), 'COMPACTED');
    assert.equal(show(kv.range('a', '', { revision: 4 }).kvs[0]), 'a=3 c2 m2 v1 l0');
    assert.equal(refusal(() => kv.range('a', 'z', { revision: 7 })), 'FUTURE_REVISION');
    assert.equal(refusal(() => kv.range('x', '', { revision: 7, countOnly: true })), 'FUTURE_REVISION');
    assert.equal(keys(kv.range('a', 'z', { revision: -4 })), 'a b c d');
  });

  it('a range of a compacted revision in a transaction refuses the whole, nested or not', () => {
    kv.compact(4);
    const old = op.range('a', '', { revision: 3 });
    for (const ops of [[op.put('n', '1'), old], [op.put('n', '1'), op.txn([], [old])]]) {
      assert.equal(refusal(() => kv.txn([], ops)), 'COMPACTED');
    }
    assert.equal(kv.range('n').count, 0, 'and changes nothing');
    assert.equal(kv.txn([], [op.range('a', '', { revision: 4 })]).responses.length, 1);
  });
});
