/**
 * The `/status` page of a node, from local state alone: useful, and never wrong, without quorum.
 */

import type { Healing } from '../healing/healing.js';
import type { Replica } from '../replica/replica.js';
import type { Members } from '../replica/state/members.js';
import type { WatchCounts } from '../api/services/watch.js';
import type { MemberInfo, NodeStatus } from './store.js';

export type HealingStatus = Pick<Healing, 'hints' | 'counters' | 'scrubStatus'>;

export function nodeStatus(replica: Replica, healing: HealingStatus, watches: WatchCounts): NodeStatus {
  const { options, membership, driver, progress, tree, log, kv, applier, receiver, sender, fetcher } = replica;
  const { node } = driver;
  const { pending } = replica.readmissions;
  const downgrade = replica.downgrades.status;
  const tables = tree.materialized.levels.flatMap((level, number) =>
    level.map((table) => ({ id: table.id, level: number, bytes: table.bytes, digest: table.fileDigest, birth: table.birth })),
  );
  const errors: string[] = [];
  if (node.lead === 0) errors.push('etcdserver: no leader');
  for (const { member, type } of replica.state.alarms.list()) errors.push(`memberID:${member}  alarm:${type}`);
  if (replica.room.why !== undefined) errors.push(`there is no room on the disk: ${replica.room.why}`);
  if (driver.logFence.why !== undefined) errors.push(`the log takes no entries: ${driver.logFence.why}`);
  if (applier.blockedBy !== undefined) errors.push(`apply waits for a repair: ${applier.blockedBy}`);
  return {
    name: membership.nameOf(membership.self),
    memberId: membership.self,
    clusterId: options.clusterId.toString(16),
    role: node.role,
    term: node.term,
    leader: node.lead,
    commitIndex: node.commit,
    appliedIndex: applier.index,
    materializedIndex: progress.materialized,
    flushedIndex: progress.flushed,
    firstLogIndex: log.firstIndex(),
    lastLogIndex: log.lastIndex(),
    clusterVersion: replica.state.version,
    newestVersion: replica.state.newest,
    storageVersion: replica.downgrades.storageVersion,
    ...(downgrade ? { downgrade } : {}),
    revision: kv.revision,
    compactRevision: kv.compactRevision,
    operations: { ...kv.counts },
    leases: kv.leases.count,
    authRevision: replica.state.auth.revision,
    watches,
    memtableBytes: tree.memtableBytes,
    sealedMemtables: tree.sealedMemtables,
    owedTables: tree.owed().length,
    pendingPlans: tree.latest.plans.length,
    ...replica.machine.totals,
    manifest: { tables },
    hints: healing.hints(),
    heal: { ...healing.counters },
    scrub: healing.scrubStatus(),
    snapshots: {
      ...receiver.totals, sent: sender.sent, paceBytesPerSecond: replica.pace.bytesPerSecond,
      ...(receiver.receiving ? { receiving: receiver.receiving } : {}),
    },
    fetchedTableBytes: fetcher.fetchedBytes,
    dbBytes: tables.reduce((sum, table) => sum + table.bytes, 0) + tree.memtableBytes + tree.sealedBytes,
    quotaBytes: replica.options.quotaBytes ?? 0,
    ...(pending === undefined ? {} : { readmission: { memberId: pending.id, replaces: pending.replaces, past: pending.past } }),
    errors,
    members: memberInfos(replica),
    links: options.env.network.links?.() ?? [],
  };
}

export function memberInfos(replica: Replica): MemberInfo[] {
  return infosOf(replica, replica.membership.newest);
}

/** What a member has not said through the log, it says in gossip. */
export function infosOf({ options, membership, gossip }: Replica, { list, confState }: Members): MemberInfo[] {
  const { self } = membership;
  return list.map(({ id, name, peerUrls, clientUrls }) => {
    const news = id === self ? { name: membership.nameOf(self), clientUrls: options.clientUrls } : gossip.of(id);
    return {
      id, peerUrls, name: name || (news?.name ?? ''), clientUrls: clientUrls ?? news?.clientUrls ?? [], isLearner: confState.learners.includes(id),
    };
  });
}
