/** Lease: grants, keep-alives, keys, what becomes of them. */

import { bytes, put, range, type Case } from './case.js';
import type { Peer, Reply } from './peer.js';

const idOf = (reply: Reply | undefined): string => String(reply?.['ID'] ?? '0');
const grant = (peer: Peer, TTL: string, ID = '0'): Promise<Reply | undefined> => peer.call('Lease', 'LeaseGrant', { TTL, ID: ID === '0' ? ID : peer.given(ID) });

const granting: Case = {
  name: 'lease: grants, ids, the least and the longest time',
  service: 'Lease',
  async run(peer) {
    for (const ttl of ['6000', '1', '0', '-5', '2', '9000000000', '9000000001']) await grant(peer, ttl);
    for (const id of ['77', '77', '-4']) await grant(peer, '6000', id);
    for (const ID of ['77', '77', '12345', '0']) await peer.call('Lease', 'LeaseRevoke', { ID: peer.given(ID) });
    await peer.call('Lease', 'LeaseLeases');
    for (const ID of ['77', '0', '999']) await peer.call('Lease', 'LeaseTimeToLive', { ID: peer.given(ID), keys: true });
  },
};

const keys: Case = {
  name: 'lease: its keys, and that they go with it',
  service: 'Lease',
  async run(peer) {
    const first = idOf(await grant(peer, '1000'));
    const second = idOf(await grant(peer, '2000'));
    await peer.call('KV', 'Put', put('l/a', '1', { lease: first }));
    await peer.call('KV', 'Put', put('l/b', '1', { lease: first, prev_kv: true }));
    await peer.call('KV', 'Put', put('l/c', '1', { lease: second }));
    await peer.call('KV', 'Range', range('l/', 'l0'));
    await peer.call('Lease', 'LeaseTimeToLive', { ID: first });
    await peer.call('Lease', 'LeaseTimeToLive', { ID: second, keys: true });
    await peer.call('KV', 'Put', put('l/a', '2'));
    await peer.call('KV', 'Put', put('l/b', '2', { ignore_lease: true, prev_kv: true }));
    await peer.call('KV', 'Put', put('l/c', '', { ignore_value: true, lease: first }));
    await peer.call('KV', 'Range', range('l/', 'l0'));
    await peer.call('KV', 'Txn', {
      compare: [{ key: bytes('l/b'), target: 'LEASE', result: 'EQUAL', lease: first }], success: [{ request_put: put('l/d', '1', { lease: second }) }],
    });
    await peer.call('Lease', 'LeaseRevoke', { ID: first });
    await peer.call('KV', 'Range', range('l/', 'l0'));
    await peer.call('Lease', 'LeaseTimeToLive', { ID: second, keys: true });
    await peer.call('KV', 'DeleteRange', range('l/d'));
    await peer.call('Lease', 'LeaseTimeToLive', { ID: second, keys: true });
    await peer.call('Lease', 'LeaseRevoke', { ID: second });
    await peer.call('KV', 'Put', put('l/e', '1', { lease: second }));
    await peer.call('KV', 'Range', range('l/', 'l0'));
  },
};

const alive: Case = {
  name: 'lease: kept alive, and expired',
  service: 'Lease',
  async run(peer) {
    const id = idOf(await grant(peer, '6000'));
    const stream = peer.stream('Lease', 'LeaseKeepAlive');
    for (const ID of [id, id, '424242', '0']) await stream.ask({ ID: ID === id ? ID : peer.given(ID) });
    await peer.call('Lease', 'LeaseRevoke', { ID: id });
    await stream.ask({ ID: id });
    stream.end();
    const short = idOf(await grant(peer, '2'));
    await peer.call('KV', 'Put', put('k/a', '1', { lease: short }));
    await new Promise((resolve) => setTimeout(resolve, 4_500));
    await peer.call('KV', 'Range', range('k/a'));
    await peer.call('Lease', 'LeaseTimeToLive', { ID: short });
  },
};

export const LEASE_CASES: readonly Case[] = [granting, keys, alive];
