/** Transactions: compares of every kind, branches, order, nesting, what is refused. */

import { bytes, put, range, type Case } from './case.js';

type Fields = Readonly<Record<string, unknown>>;

const read = (key: string, end = '', more: Fields = {}): Fields => ({ request_range: range(key, end, more) });
const write = (key: string, value: string, more: Fields = {}): Fields => ({ request_put: put(key, value, more) });
const erase = (key: string, end = '', more: Fields = {}): Fields => ({ request_delete_range: range(key, end, more) });
const nested = (txn: Fields): Fields => ({ request_txn: txn });
const compare = (key: string, target: string, result: string, fields: Fields = {}): Fields => (
  { key: bytes(key), target, result, ...fields });
const YES = [write('x/said', 'yes'), read('x/said')];
const NO = [write('x/said', 'no'), read('x/said')];

const compares: Case = {
  name: 'txn: every compare, on a key and on none',
  service: 'KV',
  async run(peer) {
    await peer.quietly('KV', 'Put', put('x/a', '1'));
    await peer.quietly('KV', 'Put', put('x/a', '2'));
    const kv = ((await peer.quietly('KV', 'Range', range('x/a')))?.['kvs'] as { create_revision: string; mod_revision: string }[] | undefined)?.[0];
    const values: readonly [string, string, unknown, unknown][] = [
      ['VERSION', 'version', '2', '1'], ['CREATE', 'create_revision', kv?.create_revision, '1'], ['MOD', 'mod_revision', kv?.mod_revision, '1'],
      ['VALUE', 'value', bytes('2'), bytes('1')], ['LEASE', 'lease', '0', '5'],
    ];
    for (const [target, field, same, other] of values) {
      for (const result of ['EQUAL', 'GREATER', 'LESS', 'NOT_EQUAL']) {
        for (const value of [same, other]) {
          await peer.call('KV', 'Txn', { compare: [compare('x/a', target, result, { [field]: value })], success: YES, failure: NO });
          await peer.call('KV', 'Txn', { compare: [compare('x/none', target, result, { [field]: value })], success: YES, failure: NO });
        }
        await peer.call('KV', 'Txn', { compare: [compare('x/a', target, result)], success: YES, failure: NO });
      }
    }
    for (const end of ['x/b', 'x0', 'x/', '\0']) {
      await peer.call('KV', 'Txn', { compare: [compare('x/a', 'VERSION', 'GREATER', { version: '0', range_end: bytes(end) })], success: YES, failure: NO });
      await peer.call('KV', 'Txn', { compare: [compare('x/nothing', 'VALUE', 'NOT_EQUAL', { value: bytes('v'), range_end: bytes(end) })], success: YES, failure: NO });
    }
    await peer.call('KV', 'Txn', { compare: [compare('', 'VERSION', 'EQUAL', { version: '0' })], success: YES });
    await peer.call('KV', 'Txn', { compare: [compare('x/a', 'VERSION', 'EQUAL', { version: '2' }), compare('x/a', 'VALUE', 'EQUAL', { value: bytes('1') })], success: YES, failure: NO });
  },
};

const branches: Case = {
  name: 'txn: order, prev_kv, nesting, empty branches',
  service: 'KV',
  async run(peer) {
    const never = compare('y/none', 'VERSION', 'GREATER', { version: '5' });
    for (const txn of [
      {}, { success: [] }, { success: [write('y/a', '1')] }, { failure: [write('y/a', 'never')] }, { compare: [never], success: [write('y/a', 'never')] },
      { success: [read('y/a'), write('y/a', '2', { prev_kv: true }), read('y/a'), write('y/b', '1')] },
      { success: [write('y/c', '1'), read('y/', 'y0', { limit: '2', sort_target: 'MOD', sort_order: 'DESCEND' }), read('y/', 'y0', { count_only: true })] },
      { success: [erase('y/a', '', { prev_kv: true }), erase('y/a'), read('y/a')] },
      { success: [erase('y/', 'y0'), erase('y/', 'y0')] },
      { success: [nested({ success: [write('y/n', '1'), nested({ compare: [never], success: [write('y/n2', 'a')], failure: [write('y/n2', 'b')] })] }), read('y/', 'y0')] },
      { success: [nested({ compare: [compare('y/n', 'VALUE', 'EQUAL', { value: bytes('1') })], success: [read('y/n')], failure: [] }), write('y/o', '1')] },
      { success: [nested({}), read('y/n')] },
      { success: [read('y/', 'y0', { serializable: true, keys_only: true })] },
    ]) {
      await peer.call('KV', 'Txn', txn);
    }
  },
};

const refusals: Case = {
  name: 'txn: what is refused changes nothing',
  service: 'KV',
  async run(peer) {
    await peer.quietly('KV', 'Put', put('z/a', '1'));
    const many = (n: number): Fields[] => Array.from({ length: n }, (_, i) => write(`z/many${i}`, '1'));
    for (const txn of [
      { success: [write('z/b', '1'), write('z/b', '2')] }, { success: [write('z/b', '1'), erase('z/b')] }, { success: [erase('z/', 'z0'), write('z/b', '1')] },
      { success: [write('z/b', '1')], failure: [write('z/b', '2')] }, { success: [write('z/b', '1'), nested({ success: [write('z/b', '2')] })] },
      { success: [nested({ success: [write('z/b', '1')], failure: [write('z/b', '2')] })] }, { success: [{}] }, { success: [write('', '1')] }, { success: [read('')] },
      { success: [erase('')] }, { success: [write('z/b', '1', { lease: '99' })] }, { success: [write('z/none', '', { ignore_value: true }), write('z/c', '1')] },
      { success: [write('z/c', 'v', { ignore_value: true })] }, { success: [write('z/d', '1'), read('z/a', '', { revision: '90000' })] },
      { failure: [write('z/b', '1', { lease: '99' })], success: [read('z/a')] }, { success: many(128) }, { success: many(129) },
      { failure: many(129), success: [read('z/a')] }, { compare: Array.from({ length: 129 }, () => compare('z/a', 'VERSION', 'EQUAL', { version: '1' })) },
      { success: [...many(120), nested({ success: many(9).map((_, i) => write(`z/inner${i}`, '1')) })] },
    ]) {
      await peer.call('KV', 'Txn', txn);
    }
    await peer.call('KV', 'Range', range('z/', 'z/m'));
  },
};

export const TXN_CASES: readonly Case[] = [compares, branches, refusals];
