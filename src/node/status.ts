/** The `/status` page of a node, from local state alone: useful, and never wrong, without quorum. */

import type { Replica } from '../replica/replica.js';
import type { HealCounters } from '../healing/status/heal-counters.js';
import type { HintStatus } from '../healing/status/hint-status.js';
import type { ScrubStatus } from '../healing/status/scrub-status.js';
import type { NodeStatus } from './store.js';

export interface HealingStatus {
  hints(): readonly HintStatus[];
  readonly counters: Readonly<HealCounters>;
  scrubStatus(): ScrubStatus;
}

export function nodeStatus(replica: Replica, healing: HealingStatus): NodeStatus {
  const { options, driver, tree, log, kv, applier, receiver, sender, fetcher, gossip } = replica;
  const { node } = driver;
  const tables = tree.materialized.levels.flatMap((level, number) =>
    level.map((table) => ({ id: table.id, level: number, bytes: table.bytes, digest: table.fileDigest, birth: table.birth })),
  );
  const errors: string[] = [];
  if (node.lead === 0) errors.push('etcdserver: no leader');
  if (applier.blockedBy !== undefined) errors.push(`apply waits for a repair: ${applier.blockedBy}`);
  return {
    name: options.members.find((member) => member.id === options.self)?.name ?? '',
    memberId: options.self,
    clusterId: options.clusterId.toString(16),
    role: node.role,
    term: node.term,
    leader: node.lead,
    commitIndex: node.commit,
    appliedIndex: applier.index,
    materializedIndex: tree.materialized.last.index,
    flushedIndex: tree.materialized.flushed.index,
    firstLogIndex: log.firstIndex(),
    lastLogIndex: log.lastIndex(),
    revision: kv.revision,
    compactRevision: kv.compactRevision,
    memtableBytes: tree.memtableBytes,
    sealedMemtables: tree.sealedMemtables,
    owedTables: tree.owed().length,
    pendingPlans: tree.latest.plans.length,
    ...replica.machine.totals,
    manifest: { tables },
    hints: healing.hints(),
    heal: { ...healing.counters },
    scrub: healing.scrubStatus(),
    snapshots: { ...receiver.totals, sent: sender.sent },
    fetchedTableBytes: fetcher.fetchedBytes,
    dbBytes: tables.reduce((sum, table) => sum + table.bytes, 0) + tree.memtableBytes + tree.sealedBytes,
    errors,
    members: options.members.map((member) => ({
      id: member.id,
      name: member.name,
      peerUrls: member.peerUrls,
      clientUrls: member.id === options.self ? options.clientUrls : (gossip.of(member.id)?.clientUrls ?? []),
      isLearner: false,
    })),
  };
}
