/**
 * What etcd's dashboards and alerts read, under etcd's names and labels, out of the status of the
 * node. Only what means here what it means there: `docs/etcd-compatibility.md` lists the rest. All
 * of it costs something when somebody scrapes, and nothing before.
 */

import { ETCD_VERSION } from '../api/etcd-version.js';
import { formatId, type NodeId } from '../base/ids.js';
import type { LinkStatus } from '../base/env.js';
import type { NodeStatus } from '../node/store.js';
import type { Alarm } from '../replica/kv/alarms.js';
import type { Sample } from './rpc-stats.js';

/** The status, and what it has not. */
export interface EtcdSubject {
  readonly status: NodeStatus;
  readonly alarms: readonly Alarm[];
}

type EtcdMetric = readonly [name: string, type: 'counter' | 'gauge', help: string, read: (subject: EtcdSubject) => readonly Sample[]];

const level = (name: string, type: 'counter' | 'gauge', help: string, read: (status: NodeStatus) => number): EtcdMetric =>
  [name, type, help, ({ status }) => [{ labels: {}, value: read(status) }]];

/** One that is always 1, of whom the label says who he is. */
const told = (name: string, help: string, label: string, read: (status: NodeStatus) => string): EtcdMetric =>
  [name, 'gauge', help, ({ status }) => [{ labels: { [label]: read(status) }, value: 1 }]];

/** Of each way to a peer. */
const perLink = (name: string, help: string, label: 'To' | 'From', read: (link: LinkStatus) => number): EtcdMetric =>
  [name, 'counter', help, ({ status }) => status.links.map((link) => ({ labels: { [label]: formatId(link.peer) }, value: read(link) }))];

const both = (Local: NodeId, Remote: NodeId): Sample['labels'] => ({ Local: formatId(Local), Remote: formatId(Remote) });

const isLearner = ({ members, memberId }: NodeStatus): boolean => members.find(({ id }) => id === memberId)?.isLearner === true;

const others = ({ members, memberId }: NodeStatus): NodeId[] => members.map(({ id }) => id).filter((id) => id !== memberId);

export const ETCD_METRICS: readonly EtcdMetric[] = [
  told('etcd_server_version', 'Whose API is served.', 'server_version', () => ETCD_VERSION),
  told('etcd_cluster_version', 'The same, without its last number.', 'cluster_version', () => ETCD_VERSION.split('.', 2).join('.')),
  told('etcd_server_id', 'Who this member is.', 'server_id', (s) => formatId(s.memberId)),
  level('etcd_server_is_learner', 'gauge', '1 if this member is a learner.', (s) => (isLearner(s) ? 1 : 0)),
  level('etcd_server_snapshot_apply_in_progress_total', 'gauge', '1 while a snapshot is received.', (s) => (s.snapshots.receiving ? 1 : 0)),
  // An alert on the quota divides by it.
  ['etcd_server_quota_backend_bytes', 'gauge', 'Bytes at which puts are refused; no line if there is no quota.',
    ({ status: { quotaBytes } }) => (quotaBytes > 0 ? [{ labels: {}, value: quotaBytes }] : [])],
  level('etcd_mvcc_db_total_size_in_use_in_bytes', 'gauge', 'As etcd_mvcc_db_total_size_in_bytes: there are no free pages.', (s) => s.dbBytes),
  level('etcd_disk_defrag_inflight', 'gauge', 'Always 0: there is nothing to defragment.', () => 0),
  level('etcd_debugging_mvcc_compact_revision', 'gauge', 'Revision of the last compaction.', (s) => s.compactRevision),
  level('etcd_mvcc_range_total', 'counter', 'Ranges that this member has read, those of transactions too.', (s) => s.operations.ranges),
  level('etcd_mvcc_put_total', 'counter', 'Puts that this member has applied, those of transactions too.', (s) => s.operations.puts),
  level('etcd_mvcc_delete_total', 'counter', 'Deletes that this member has applied, those of transactions too.', (s) => s.operations.deletes),
  level('etcd_mvcc_txn_total', 'counter', 'Transactions of more than one operation that this member has carried out.', (s) => s.operations.txns),
  ['etcd_debugging_server_alarms', 'gauge', 'Active alarms, by member.',
    ({ alarms }) => alarms.map(({ member, type }) => ({ labels: { server_id: formatId(member), alarm_type: type }, value: 1 }))],
  ['etcd_network_known_peers', 'gauge', 'The other members.',
    ({ status }) => others(status).map((id) => ({ labels: both(status.memberId, id), value: 1 }))],
  ['etcd_network_active_peers', 'gauge', '1 if the way to this member is up.',
    ({ status: { links, memberId } }) => links.map(({ peer, state }) => ({ labels: both(memberId, peer), value: state === 'up' ? 1 : 0 }))],
  ['etcd_network_disconnected_peers_total', 'counter', 'How often the way to this member was up and broke.',
    ({ status: { links, memberId } }) => links.map(({ peer, breaks }) => ({ labels: both(memberId, peer), value: breaks }))],
  perLink('etcd_network_peer_sent_bytes_total', 'Bytes of messages to this member.', 'To', (link) => link.sentBytes),
  perLink('etcd_network_peer_received_bytes_total', 'Bytes of messages from this member.', 'From', (link) => link.receivedBytes),
  perLink('etcd_network_peer_sent_failures_total', 'Messages to this member that were dropped.', 'To', (link) => link.droppedFrames),
];
