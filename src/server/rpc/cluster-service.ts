/**
 * etcd's Cluster and Maintenance services, as far as they are served: from local state, useful
 * without quorum.
 */

import { ETCD_VERSION } from '../../api/etcd-version.js';
import { NodeId } from '../../base/ids.js';
import { ETCD_MESSAGES, EtcdError } from '../../api/etcd-error.js';
import type { Message } from '../../api/protos/reflected-rpc.js';
import type { MemberInfo, Store } from '../../node/store.js';
import { DOWNGRADE_ACTIONS } from '../../replica/downgrades.js';
import { ALARM_TYPES, type Alarm, type AlarmType } from '../../replica/kv/alarms.js';
import type { MemberChange } from '../../replica/state/members.js';
import { checkUrl } from '../options/config.js';
import { UsageError } from '../options/spec.js';
import { sendBackup } from './backup-service.js';
import { addCold } from './cold.js';
import type { Method } from '../../grpc/method.js';

/**
 * The API level that clients see. They parse it as semver and compare. The product's own version is
 * on the ops port, at /version.
 */

/** As long as any request may take. */
const LINEARIZABLE_MS = 7_000;

/** As in etcd 3.4, only Status tells the revision. */
export function header(store: Store, revision: boolean): object {
  return {
    cluster_id: store.clusterId.toString(),
    member_id: String(store.memberId),
    raft_term: String(store.term),
    ...(revision ? { revision: String(store.status().revision) } : {}),
  };
}

/** As etcd has it: the cluster decides, and the one that was asked says how it is then. */
export function addCluster(table: Map<string, Method>, store: Store): void {
  const answer = (members: readonly MemberInfo[], more: object = {}): object =>
    ({ header: header(store, false), members: members.map(memberOf), ...more });
  const change = async (wanted: MemberChange): Promise<object> => answer(await store.changeMembers(wanted));
  addCold(table, 'etcdserverpb.Cluster', {
    MemberList: async (request) => {
      if (request['linearizable'] === true) await store.checkLinearizable(LINEARIZABLE_MS);
      return answer(store.members());
    },
    MemberAdd: async (request) => {
      const peerUrls = urlsOf(request);
      const members = await store.changeMembers({ kind: 'add', id: 0, peerUrls, learner: request['isLearner'] === true });
      const added = members.find((member) => member.peerUrls.some((url) => peerUrls.includes(url)));
      return answer(members, added === undefined ? {} : { member: memberOf(added) });
    },
    MemberRemove: (request) => change({ kind: 'remove', id: memberIdOf(request['ID']) }),
    MemberPromote: (request) => change({ kind: 'promote', id: memberIdOf(request['ID']) }),
    MemberUpdate: (request) => change({ kind: 'update', id: memberIdOf(request['ID']), peerUrls: urlsOf(request) }),
  });
}

function memberOf(member: MemberInfo): object {
  return {
    ID: String(member.id), name: member.name, peerURLs: member.peerUrls, clientURLs: member.clientUrls, isLearner: member.isLearner,
  };
}

/** Ids of ours are exact in a number: another one is nobody's. */
export function memberIdOf(text: unknown): NodeId {
  const id = Number(text);
  if (!Number.isSafeInteger(id) || id <= 0) throw new EtcdError('MEMBER_NOT_FOUND');
  return NodeId(id);
}

function urlsOf(request: Message): readonly string[] {
  const urls = (request['peerURLs'] as readonly string[] | undefined) ?? [];
  if (urls.length === 0 || new Set(urls).size !== urls.length) throw new EtcdError('MEMBER_BAD_URLS');
  return urls.map((text) => {
    try {
      return checkUrl(text, 'peerURLs');
    } catch (error) {
      if (error instanceof UsageError) throw new EtcdError('MEMBER_BAD_URLS');
      throw error;
    }
  });
}

export function addMaintenance(table: Map<string, Method>, store: Store): void {
  addCold(table, 'etcdserverpb.Maintenance', {
    Status: () => maintenanceStatus(store),
    // The tree reclaims space by compaction as it goes.
    Defragment: () => ({}),
    Hash: async () => {
      const { hash } = await store.hashKv(0);
      return { header: header(store, true), hash };
    },
    HashKV: (request) => hashKv(store, Number(request['revision'])),
    Alarm: (request) => alarm(store, request),
    Downgrade: (request) => downgrade(store, request),
    MoveLeader: async (request) => {
      const target = Number(request['targetID']);
      if (!Number.isSafeInteger(target)) throw new EtcdError('BAD_LEADER_TRANSFEREE');
      if (store.leader !== store.memberId) throw new EtcdError('NOT_LEADER');
      await store.moveLeader(NodeId(target));
      return {};
    },
  }, {
    Snapshot: (_request, out) => sendBackup(store.backup(), out, { version: String(store.status().storageVersion) }),
  });
}

function maintenanceStatus(store: Store): object {
  const status = store.status();
  return {
    header: header(store, true),
    version: ETCD_VERSION,
    // etcdctl 3.7 divides by it.
    dbSize: String(Math.max(1, status.dbBytes)),
    dbSizeInUse: String(Math.max(1, status.dbBytes)),
    leader: String(status.leader),
    raftIndex: String(status.commitIndex),
    raftTerm: String(status.term),
    raftAppliedIndex: String(status.appliedIndex),
    errors: [...new Set(status.leader === 0 ? [ETCD_MESSAGES.NO_LEADER, ...status.errors] : status.errors)],
    isLearner: status.members.some((member) => member.id === status.memberId && member.isLearner),
    storageVersion: String(status.storageVersion),
    dbSizeQuota: String(status.quotaBytes),
    downgradeInfo: status.downgrade ? { enabled: true, targetVersion: String(status.downgrade.target) } : { enabled: false },
  };
}

/** Of what is applied here, as in etcd; -1: nothing was compacted yet. */
async function hashKv(store: Store, revision: number): Promise<object> {
  const { hash, revision: of, compactRevision } = await store.hashKv(revision);
  const compacted = String(compactRevision === 0 ? -1 : compactRevision);
  return { header: header(store, true), hash, compact_revision: compacted, hash_revision: String(of) };
}

/** Versions of the cluster are whole numbers: none has anything but 0 behind it, as etcd's have. */
async function downgrade(store: Store, request: Message): Promise<object> {
  const action = DOWNGRADE_ACTIONS.find((each) => each.toUpperCase() === request['action']) ?? 'validate';
  const [, number, rest] = /^(\d{1,6})((?:\.\d{1,6}){0,2})$/.exec(String(request['version'] ?? '')) ?? [];
  if (number === undefined && action !== 'cancel') throw new EtcdError('WRONG_DOWNGRADE_VERSION_FORMAT');
  if (/[1-9]/.test(rest ?? '')) throw new EtcdError('INVALID_DOWNGRADE_TARGET_VERSION');
  const version = await store.downgrade(action, Number(number ?? 0));
  return { header: header(store, true), version: String(version) };
}

/** GET answers what is active, the others what they have changed; NONE changes nothing. */
async function alarm(store: Store, request: Message): Promise<object> {
  const { action, alarm: label } = request;
  const types = (Object.keys(ALARM_TYPES) as AlarmType[]).filter((each) => label === 'NONE' || each === label);
  const member = Number(request['memberID']);
  if (!Number.isSafeInteger(member)) throw new EtcdError('MEMBER_NOT_FOUND');
  const active = await store.alarms();
  if (action === 'GET') return alarms(store, active.filter(({ type }) => types.includes(type)));
  const [type] = types;
  if (label === 'NONE' || type === undefined) return alarms(store, []);
  const there = active.some((each) => each.member === member && each.type === type);
  if (action === 'DEACTIVATE' && !there) return alarms(store, []);
  await store.changeAlarm({ action: action === 'DEACTIVATE' ? 'lower' : 'raise', member: NodeId(member), type });
  return alarms(store, [{ member: NodeId(member), type }]);
}

function alarms(store: Store, list: readonly Pick<Alarm, 'member' | 'type'>[]): object {
  return { header: header(store, true), alarms: list.map(({ member, type }) => ({ memberID: String(member), alarm: type })) };
}
