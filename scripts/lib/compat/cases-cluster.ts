/** Cluster, Maintenance, and what the port says to nonsense. */

import { put, range, type Case } from './case.js';
import type { Reply } from './peer.js';

type MemberLike = { readonly ID: string };

const members: Case = {
  name: 'members: added, promoted, updated, removed, and what is refused',
  service: 'Cluster',
  async run(peer) {
    const list = await peer.call('Cluster', 'MemberList');
    await peer.call('Cluster', 'MemberList', { linearizable: true });
    const self = (list?.['members'] as MemberLike[] | undefined)?.[0]?.ID ?? '0';
    for (const peerURLs of [[], [''], ['nonsense'], ['http://127.0.0.1'], ['ftp://127.0.0.1:1']]) await peer.call('Cluster', 'MemberAdd', { peerURLs });
    const added: Reply | undefined = await peer.call('Cluster', 'MemberAdd', { peerURLs: ['http://127.0.0.1:40999'], isLearner: true });
    const learner = (added?.['member'] as MemberLike | undefined)?.ID ?? '0';
    await peer.call('Cluster', 'MemberAdd', { peerURLs: ['http://127.0.0.1:40998'], isLearner: true });
    await peer.call('Cluster', 'MemberPromote', { ID: learner });
    await peer.call('Cluster', 'MemberPromote', { ID: self });
    await peer.call('Cluster', 'MemberUpdate', { ID: learner, peerURLs: ['http://127.0.0.1:40997'] });
    // Without URLs it is not asked: etcd 3.7.3 panics when it applies that, at every start again.
    await peer.call('Cluster', 'MemberRemove', { ID: learner });
    await peer.call('Cluster', 'MemberRemove', { ID: learner });
    for (const method of ['MemberRemove', 'MemberPromote']) await peer.call('Cluster', method, { ID: '12345' });
    await peer.call('Cluster', 'MemberUpdate', { ID: '12345', peerURLs: ['http://127.0.0.1:40996'] });
    await peer.call('Cluster', 'MemberRemove', { ID: self });
    await peer.call('Cluster', 'MemberList');
  },
};

const maintenance: Case = {
  name: 'maintenance: status, alarms, hashes, defragmentation, leadership',
  service: 'Maintenance',
  async run(peer) {
    await peer.quietly('KV', 'Put', put('m/a', '1'));
    await peer.call('Maintenance', 'Status');
    await peer.call('Maintenance', 'Defragment');
    await peer.call('Maintenance', 'Hash');
    for (const revision of ['0', '1', '900000', '-1']) await peer.call('Maintenance', 'HashKV', { revision });
    const list = await peer.quietly('Cluster', 'MemberList');
    const self = (list?.['members'] as MemberLike[] | undefined)?.[0]?.ID ?? '0';
    for (const targetID of ['0', '99', self]) await peer.call('Maintenance', 'MoveLeader', { targetID });
    for (const request of [
      { action: 'GET' }, { action: 'ACTIVATE', memberID: self, alarm: 'NOSPACE' }, { action: 'GET' }, { action: 'GET', alarm: 'NOSPACE' }, { action: 'GET', alarm: 'CORRUPT' },
    ]) {
      await peer.call('Maintenance', 'Alarm', request);
    }
    await peer.call('Maintenance', 'Status');
    await peer.call('KV', 'Put', put('m/b', '1'));
    await peer.call('KV', 'Txn', { success: [{ request_put: put('m/b', '1') }] });
    await peer.call('KV', 'Txn', { success: [{ request_range: range('m/a') }] });
    await peer.call('KV', 'DeleteRange', range('m/none'));
    await peer.call('KV', 'Range', range('m/a'));
    await peer.call('Lease', 'LeaseGrant', { TTL: '6000' });
    for (const request of [{ action: 'DEACTIVATE', memberID: self, alarm: 'NOSPACE' }, { action: 'DEACTIVATE', memberID: self, alarm: 'NOSPACE' }, { action: 'GET' }]) {
      await peer.call('Maintenance', 'Alarm', request);
    }
    await peer.call('KV', 'Put', put('m/b', '1'));
    for (const request of [{}, { action: 'VALIDATE', version: '1' }, { action: 'VALIDATE', version: '9.9.0' }, { action: 'CANCEL' }]) {
      await peer.call('Maintenance', 'Downgrade', request);
    }
  },
};

export const CLUSTER_CASES: readonly Case[] = [members, maintenance];
