/** What etcd's Maintenance service tells of a member. */

import type { CallOptions, Caller } from './caller.js';
import { ReflectedRpc, type Message } from '../api/protos/reflected-rpc.js';
import type { ResponseHeader } from '../api/requests.js';
import { callUnary } from './call.js';
import { bigOf, flagOf, messageOf, messagesOf, numberOf, textOf, textsOf } from './message.js';

/** The answering member's own view. */
export interface MemberStatus {
  readonly header: ResponseHeader;
  readonly version: string;
  readonly dbSize: number;
  readonly dbSizeInUse: number;
  /** 0n: it knows none. */
  readonly leader: bigint;
  readonly raftIndex: number;
  readonly raftTerm: number;
  readonly raftAppliedIndex: number;
  readonly errors: readonly string[];
  readonly isLearner: boolean;
  /** Of the cluster: the lowest whose programs can read the member's files. Empty: not told. */
  readonly storageVersion: string;
  /** Empty: no downgrade is under way. */
  readonly downgradeTarget: string;
}

export type HealthStatus = 'SERVING' | 'NOT_SERVING' | 'UNKNOWN' | 'SERVICE_UNKNOWN';

export function headerOf(message: Message): ResponseHeader {
  const header = messageOf(message, 'header');
  return {
    clusterId: bigOf(header, 'cluster_id'),
    memberId: bigOf(header, 'member_id'),
    revision: numberOf(header, 'revision'),
    raftTerm: numberOf(header, 'raft_term'),
  };
}

export async function statusOf(caller: Caller, options: CallOptions): Promise<MemberStatus> {
  const message = await callUnary(caller, new ReflectedRpc('etcdserverpb.Maintenance', 'Status', 'read'), {}, options);
  return {
    header: headerOf(message),
    version: textOf(message, 'version'),
    dbSize: numberOf(message, 'dbSize'),
    dbSizeInUse: numberOf(message, 'dbSizeInUse'),
    leader: bigOf(message, 'leader'),
    raftIndex: numberOf(message, 'raftIndex'),
    raftTerm: numberOf(message, 'raftTerm'),
    raftAppliedIndex: numberOf(message, 'raftAppliedIndex'),
    errors: textsOf(message, 'errors'),
    isLearner: flagOf(message, 'isLearner'),
    storageVersion: textOf(message, 'storageVersion'),
    downgradeTarget: textOf(messageOf(message, 'downgradeInfo'), 'targetVersion'),
  };
}

export async function moveLeader(caller: Caller, target: bigint, options: CallOptions): Promise<void> {
  await callUnary(caller, new ReflectedRpc('etcdserverpb.Maintenance', 'MoveLeader', 'write'), { targetID: target.toString() }, options);
}

export interface ActiveAlarm {
  readonly memberId: bigint;
  /** NOSPACE, CORRUPT. */
  readonly alarm: string;
}

export interface AlarmList {
  readonly header: ResponseHeader;
  readonly alarms: readonly ActiveAlarm[];
}

export async function alarmCall(
  caller: Caller, action: 'GET' | 'ACTIVATE' | 'DEACTIVATE', of: Partial<ActiveAlarm>, options: CallOptions,
): Promise<AlarmList> {
  const rpc = new ReflectedRpc('etcdserverpb.Maintenance', 'Alarm', action === 'GET' ? 'read' : 'write');
  const message = await callUnary(caller, rpc, { action, memberID: String(of.memberId ?? 0n), alarm: of.alarm ?? 'NONE' }, options);
  const alarms = messagesOf(message, 'alarms').map((alarm) => ({ memberId: bigOf(alarm, 'memberID'), alarm: textOf(alarm, 'alarm') }));
  return { header: headerOf(message), alarms };
}

export type DowngradeAction = 'VALIDATE' | 'ENABLE' | 'CANCEL';

/** The version of the cluster afterwards. */
export async function downgradeCall(caller: Caller, action: DowngradeAction, version: string, options: CallOptions): Promise<string> {
  const rpc = new ReflectedRpc('etcdserverpb.Maintenance', 'Downgrade', action === 'VALIDATE' ? 'read' : 'write');
  return textOf(await callUnary(caller, rpc, { action, version }, options), 'version');
}

export async function healthOf(caller: Caller, service: string, options: CallOptions): Promise<HealthStatus> {
  const message = await callUnary(caller, new ReflectedRpc('grpc.health.v1.Health', 'Check', 'read'), { service }, options);
  return textOf(message, 'status') as HealthStatus;
}
