import assert from 'node:assert/strict';
import { refusal } from './testing/harness.js';
import { TO_END, command, compareOf, op, rangeOf, txnOf } from './testing/requests.js';
import { MAX_KEY_BYTES, MAX_TXN_OPS, validateCommand, validateRange, validateTxn } from './validate.js';
import { EtcdError } from '../../api/etcd-error.js';
import type { KvCommand } from './command.js';
import type { RequestOp } from '../../api/requests.js';

const check = (what: KvCommand): string => refusal(() => validateCommand(what));
const txn = (...ops: RequestOp[]): string => refusal(() => validateTxn(txnOf([], ops)));
const many = (n: number): RequestOp[] => Array.from({ length: n }, (_, i) => op.put(`k${i}`, ''));

const ranges = (n: number): RequestOp[] => Array.from({ length: n }, () => op.range('a'));

describe('validation without state', () => {
  const long = 'k'.repeat(MAX_KEY_BYTES);
  const refused: [string, () => string, string][] = [
    ['a range without a key', () => refusal(() => validateRange(rangeOf(''))), 'EMPTY_KEY'],
    ['a sort order that means nothing', () => refusal(() => validateRange(rangeOf('k', '', { sortOrder: 'unknown' }))), 'INVALID_SORT_OPTION'],
    ['a sort target that means nothing', () => txn(op.range('k', '', { sortTarget: 'unknown' })), 'INVALID_SORT_OPTION'],
    ['a put without a key', () => check(command.put('', 'v')), 'EMPTY_KEY'],
    ['a delete without a key', () => check(command.del('')), 'EMPTY_KEY'],
    ['a compare without a key', () => check(command.txn([compareOf('', { kind: 'version', version: 0 })], [])), 'EMPTY_KEY'],
    ['an operation without a key', () => txn(op.range('')), 'EMPTY_KEY'],
    ['an empty operation', () => txn({ kind: 'empty' }), 'KEY_NOT_FOUND'],
    ['ignore_value with a value', () => check(command.put('k', 'v', { ignoreValue: true })), 'VALUE_PROVIDED'],
    ['ignore_lease with a lease', () => txn(op.put('k', 'v', { ignoreLease: true, lease: 1n })), 'LEASE_PROVIDED'],
    ['a key that is too long', () => check(command.put(`${long}k`, '')), 'KEY_TOO_LONG'],
    ['a range end that is far too long', () => check(command.del('a', long + 'k'.repeat(2000))), 'KEY_TOO_LONG'],
    ['129 operations', () => txn(...many(MAX_TXN_OPS + 1)), 'TOO_MANY_OPS'],
    ['129 compares', () => check(command.txn(Array.from({ length: 129 }, () => compareOf('a', { kind: 'mod', revision: 0 })), [])),
      'TOO_MANY_OPS'],
    ['129 failure operations', () => check(command.txn([], [], many(129))), 'TOO_MANY_OPS'],
    ['a nested transaction beyond what its parent left', () => txn(op.txn([], many(127)), op.range('a')), 'TOO_MANY_OPS'],
    ['nesting for ever', () => {
      let inner = op.range('a');
      for (let i = 0; i < 140; i++) inner = op.txn([], [inner]);
      return refusal(() => validateTxn(txnOf([], [inner]), 1000));
    }, 'TOO_MANY_OPS'],
    ['4,097 operations, nested', () => txn(...Array.from({ length: 64 }, () => op.txn([], ranges(64))), op.range('a')), 'TOO_MANY_OPS'],
    ['more than 4,096 operations, in branches that exclude each other', () =>
      txn(...Array.from({ length: 32 }, () => op.txn([], ranges(64), ranges(64)))), 'TOO_MANY_OPS'],
    ['put after put', () => txn(op.put('a', ''), op.put('a', '')), 'DUPLICATE_KEY'],
    ['put and delete', () => txn(op.put('a', ''), op.del('a')), 'DUPLICATE_KEY'],
    ['delete and put', () => txn(op.del('a'), op.put('a', '')), 'DUPLICATE_KEY'],
    ['put inside a deleted range', () => txn(op.del('a', 'c'), op.put('b', '')), 'DUPLICATE_KEY'],
    ['put at the begin of a deleted range', () => txn(op.del('a', 'c'), op.put('a', '')), 'DUPLICATE_KEY'],
    ['put inside overlapping deletes', () => txn(op.del('c', 'e'), op.del('a', 'd'), op.del('g', 'h'), op.put('dd', '')), 'DUPLICATE_KEY'],
    ['nested put and its parent', () => txn(op.txn([], [op.put('a', '')]), op.put('a', '')), 'DUPLICATE_KEY'],
    ['nested put and a delete of its parent', () => txn(op.txn([], [], [op.put('a', '')]), op.del('a', 'b')), 'DUPLICATE_KEY'],
    ['nested delete and a put of its parent', () => txn(op.txn([], [op.del('a', 'c')]), op.put('b', '')), 'DUPLICATE_KEY'],
    ['the same put in two nested transactions', () => txn(op.txn([], [op.put('a', '')]), op.txn([], [], [op.put('a', '')])), 'DUPLICATE_KEY'],
    ['nested delete, then nested put beside it', () => txn(op.txn([], [op.del('a')]), op.txn([], [op.put('a', '')])), 'DUPLICATE_KEY'],
    ['duplicates in the failure branch', () => check(command.txn([], [], [op.put('a', ''), op.put('a', '')])), 'DUPLICATE_KEY'],
  ];
  for (const [title, run, code] of refused) it(`refuses ${title}`, () => assert.equal(run(), code));

  const allowed: [string, () => string][] = [
    ['128 operations', () => txn(...many(MAX_TXN_OPS))],
    ['a key as long as can be, and its successor as a bound', () => check(command.put(long, '')) + refusal(() => validateRange(rangeOf(`${long}\0`)))],
    ['a nested transaction with all that its parent left', () => txn(op.txn([], many(126)), op.range('a'))],
    ['two deletes that overlap', () => txn(op.del('a', 'c'), op.del('b', 'd'), op.del('b'))],
    ['the same key in success and failure', () => check(command.txn([], [op.put('a', '')], [op.put('a', '')]))],
    ['the same key in both branches of a nested transaction', () => txn(op.txn([], [op.put('a', '')], [op.put('a', '')]))],
    ['a put at the end of a deleted range', () => txn(op.del('a', 'c'), op.put('c', ''))],
    ['a put behind a delete to the end of the space', () => txn(op.del('a', TO_END), op.put('b', ''))],
    ['ranges over everything that changes', () => txn(op.range('a', 'z'), op.put('b', ''), op.range('b'))],
    ['an empty transaction', () => txn()],
    ['a compaction', () => check(command.compact(-1))],
  ];
  for (const [title, run] of allowed) it(`allows ${title}`, () => assert.match(run(), /^(none)+$/));

  it('thousands of nested puts between thousands of nested deletes are told apart', () => {
    const nest = (at: number): RequestOp =>
      op.txn([], Array.from({ length: 64 }, (_, i) => {
        const key = `${at}-${String(i).padStart(2, '0')}`;
        return i % 2 === 0 ? op.put(key, '') : op.del(key, `${key}x`);
      }));
    const nests = Array.from({ length: 63 }, (_, i) => nest(i));
    assert.equal(txn(...nests), 'none');
    assert.equal(txn(...nests, op.put('31-33w', '')), 'DUPLICATE_KEY');
  });

  it('messages are those that clients match', () => {
    assert.equal(new EtcdError('DUPLICATE_KEY').wireMessage, 'etcdserver: duplicate key given in txn request');
    assert.equal(new EtcdError('KEY_TOO_LONG', '61441 bytes, at most 61440').wireMessage, 'kintsugi: key is too long: 61441 bytes, at most 61440');
  });
});
