/** KV: ranges in every order and with every filter, puts, deletes, compaction. */

import { bytes, put, range, type Case } from './case.js';
import type { Peer } from './peer.js';

const TARGETS = ['KEY', 'VERSION', 'CREATE', 'MOD', 'VALUE'];
const ORDERS = ['NONE', 'ASCEND', 'DESCEND'];

/** Six keys with different versions, values and revisions, no two of which sort alike. */
async function fill(peer: Peer, at: string): Promise<void> {
  for (const [key, value, times] of [['d', '3', 1], ['a', '5', 3], ['c', '1', 2], ['f', '2', 4], ['b', '6', 5], ['e', '4', 6]] as const) {
    for (let i = 0; i < times; i++) await peer.quietly('KV', 'Put', put(`${at}${key}`, `${value}${i}`));
  }
}

const sorts: Case = {
  name: 'ranges: every order, target and limit',
  service: 'KV',
  async run(peer) {
    await fill(peer, 's/');
    for (const sort_target of TARGETS) {
      for (const sort_order of ORDERS) {
        for (const limit of ['0', '1', '4', '6', '-1']) await peer.call('KV', 'Range', range('s/', 's0', { sort_target, sort_order, limit }));
      }
    }
  },
};

const filters: Case = {
  name: 'ranges: revisions as filters, and what is left out',
  service: 'KV',
  async run(peer) {
    const before = await peer.quietly('KV', 'Put', put('g/first', '0'));
    const base = BigInt((before?.['header'] as { revision: string } | undefined)?.revision ?? '1');
    await fill(peer, 'g/');
    const at = (n: number): string => String(base + BigInt(n));
    for (const name of ['min_mod_revision', 'max_mod_revision', 'min_create_revision', 'max_create_revision']) {
      for (const n of [0, 1, 5, 9, 30]) {
        await peer.call('KV', 'Range', range('g/', 'g0', { [name]: at(n) }));
        await peer.call('KV', 'Range', range('g/', 'g0', { [name]: at(n), limit: '2', sort_target: 'MOD', sort_order: 'DESCEND' }));
      }
    }
    for (const more of [{ keys_only: true }, { count_only: true }, { count_only: true, limit: '1' }, { keys_only: true, sort_target: 'VALUE', sort_order: 'DESCEND' },
      { serializable: true }, { min_mod_revision: at(3), max_mod_revision: at(9) }, { min_create_revision: at(4), limit: '1' }, { count_only: true, min_mod_revision: at(20) }]) {
      await peer.call('KV', 'Range', range('g/', 'g0', more));
    }
    for (const n of [-1, 0, 1, 4, 8, 21]) {
      for (const more of [{}, { count_only: true }, { limit: '2' }, { keys_only: true }]) await peer.call('KV', 'Range', range('g/', 'g0', { revision: at(n), ...more }));
    }
    for (const revision of ['-1', '9000000']) await peer.call('KV', 'Range', range('g/', 'g0', { revision }));
  },
};

const ends: Case = {
  name: 'ranges: where they begin and end',
  service: 'KV',
  async run(peer) {
    await fill(peer, 'e/');
    for (const key of ['', 'e/a', 'e/', 'e/zz', '\0', 'e/\xff']) {
      for (const end of ['', '\0', 'e/a', 'e/c', 'e0', 'a', '\xff']) {
        if (end === '\0' || key === '\0') continue;
        await peer.call('KV', 'Range', range(key, end));
      }
    }
    await peer.call('KV', 'Range', range('e/c', '\0', { limit: '2' }));
    await peer.call('KV', 'Range', range('e/c', 'e0', { sort_order: 9 }));
    await peer.call('KV', 'Range', range('e/c', 'e0', { sort_target: 9, sort_order: 'ASCEND' }));
  },
};

const puts: Case = {
  name: 'puts: what was there, what is kept, what is refused',
  service: 'KV',
  async run(peer) {
    for (const request of [
      put('p/a', '1'), put('p/a', '2', { prev_kv: true }), put('p/new', '1', { prev_kv: true }), put('', '1'), put('p/a', ''),
      put('p/a', 'v', { ignore_value: true }), put('p/a', '', { ignore_value: true, prev_kv: true }), put('p/none', '', { ignore_value: true }),
      put('p/none', 'v', { ignore_lease: true }), put('p/a', 'v', { ignore_lease: true }), put('p/a', 'v', { ignore_lease: true, lease: '7' }),
      put('p/a', 'v', { lease: '123456' }), put('p/bin\0\xff', '\0\x01\xfe'), put('p/a', 'w', { lease: '-5' }),
    ]) {
      await peer.call('KV', 'Put', request);
    }
    await peer.call('KV', 'Range', range('p/', 'p0'));
    await peer.call('KV', 'Put', { key: bytes('p/large'), value: Buffer.alloc(1_600_000) });
    await peer.call('KV', 'Put', { key: bytes('p/larger'), value: Buffer.alloc(2_200_000) });
    await peer.call('KV', 'Range', range('p/', 'p0', { count_only: true }));
  },
};

const deletes: Case = {
  name: 'deletes: one key, ranges, what was there',
  service: 'KV',
  async run(peer) {
    await fill(peer, 'd/');
    for (const request of [
      range('d/none'), range('d/a'), range('d/a'), range('d/b', '', { prev_kv: true }), range('d/c', 'd/e', { prev_kv: true }), range('d/z', 'd/a'),
      range(''), range('d/', 'd0', { prev_kv: true }), range('d/', 'd0'),
    ]) {
      await peer.call('KV', 'DeleteRange', request);
    }
    await peer.call('KV', 'Range', range('d/', 'd0'));
    await peer.call('KV', 'Put', put('d/a', 'again'));
    await peer.call('KV', 'Range', range('d/a'));
  },
};

const compaction: Case = {
  name: 'compaction, and reading around it',
  service: 'KV',
  async run(peer) {
    const first = await peer.quietly('KV', 'Put', put('c/a', '1'));
    const base = BigInt((first?.['header'] as { revision: string } | undefined)?.revision ?? '1');
    for (let i = 2; i < 6; i++) await peer.quietly('KV', 'Put', put('c/a', String(i)));
    await peer.quietly('KV', 'DeleteRange', range('c/a'));
    await peer.quietly('KV', 'Put', put('c/b', '1'));
    const at = (n: number): string => String(base + BigInt(n));
    await peer.call('KV', 'Compact', { revision: at(2) });
    for (const n of [0, 1, 2, 3, 5]) await peer.call('KV', 'Range', range('c/', 'c0', { revision: at(n) }));
    for (const n of [1, 2, 100]) await peer.call('KV', 'Compact', { revision: at(n) });
    await peer.call('KV', 'Compact', { revision: at(5), physical: true });
    for (const n of [4, 5, 6]) await peer.call('KV', 'Range', range('c/', 'c0', { revision: at(n) }));
    await peer.call('KV', 'Compact', { revision: '-3' });
    await peer.call('KV', 'Compact', {});
    await peer.call('KV', 'Txn', { success: [{ request_range: range('c/a', '', { revision: at(1) }) }] });
  },
};

export const KV_CASES: readonly Case[] = [sorts, filters, ends, puts, deletes, compaction];
