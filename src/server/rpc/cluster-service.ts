/**
 * etcd's Cluster and Maintenance services, as far as they are served: from local state, useful
 * without quorum.
 */

import { NodeId } from '../../base/ids.js';
import { ETCD_MESSAGES, EtcdError } from '../../api/etcd-error.js';
import type { Store } from '../../node/store.js';
import { sendBackup } from './backup-service.js';
import { addCold } from './cold.js';
import type { Method } from '../../grpc/method.js';

/**
 * The API level that clients see. They parse it as semver and compare: everything of KV in 3.4.0 is
 * served, nothing that came later is promised. The product's own version is on the ops port, at
 * /version.
 */
export const ETCD_VERSION = '3.4.0';

/** As in etcd 3.4, only Status tells the revision. */
function header(store: Store, revision: boolean): object {
  return {
    cluster_id: store.clusterId.toString(),
    member_id: String(store.memberId),
    raft_term: String(store.term),
    ...(revision ? { revision: String(store.status().revision) } : {}),
  };
}

export function addCluster(table: Map<string, Method>, store: Store): void {
  addCold(table, 'etcdserverpb.Cluster', {
    MemberList: () => ({
      header: header(store, false),
      members: store.members().map((member) => ({
        ID: String(member.id),
        name: member.name,
        peerURLs: member.peerUrls,
        clientURLs: member.clientUrls,
        isLearner: member.isLearner,
      })),
    }),
  });
}

export function addMaintenance(table: Map<string, Method>, store: Store): void {
  addCold(table, 'etcdserverpb.Maintenance', {
    Status: () => maintenanceStatus(store),
    // The tree reclaims space by compaction as it goes.
    Defragment: () => ({}),
    // No alarm exists yet, so none can be listed, raised or cleared.
    Alarm: () => ({}),
    MoveLeader: async (request) => {
      const target = Number(request['targetID']);
      if (!Number.isSafeInteger(target)) throw new EtcdError('BAD_LEADER_TRANSFEREE');
      if (store.leader !== store.memberId) throw new EtcdError('NOT_LEADER');
      await store.moveLeader(NodeId(target));
      return {};
    },
  }, {
    Snapshot: (_request, out) => sendBackup(store.backup(), out),
  });
}

function maintenanceStatus(store: Store): object {
  const status = store.status();
  return {
    header: header(store, true),
    version: ETCD_VERSION,
    dbSize: String(status.dbBytes),
    dbSizeInUse: String(status.dbBytes),
    leader: String(status.leader),
    raftIndex: String(status.commitIndex),
    raftTerm: String(status.term),
    raftAppliedIndex: String(status.appliedIndex),
    errors: [...new Set(status.leader === 0 ? [ETCD_MESSAGES.NO_LEADER, ...status.errors] : status.errors)],
    isLearner: status.members.some((member) => member.id === status.memberId && member.isLearner),
  };
}
