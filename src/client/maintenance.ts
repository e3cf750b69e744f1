/** What etcd's Maintenance service tells of a member. */

import type { CallOptions, Caller } from './caller.js';
import { ReflectedRpc, type Message } from '../api/protos/reflected-rpc.js';
import type { ResponseHeader } from '../api/requests.js';
import { callUnary } from './call.js';
import { bigOf, flagOf, messageOf, numberOf, textOf, textsOf } from './message.js';

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
  };
}

export async function moveLeader(caller: Caller, target: bigint, options: CallOptions): Promise<void> {
  await callUnary(caller, new ReflectedRpc('etcdserverpb.Maintenance', 'MoveLeader', 'write'), { targetID: target.toString() }, options);
}

export async function healthOf(caller: Caller, service: string, options: CallOptions): Promise<HealthStatus> {
  const message = await callUnary(caller, new ReflectedRpc('grpc.health.v1.Health', 'Check', 'read'), { service }, options);
  return textOf(message, 'status') as HealthStatus;
}
