/** What etcd's Maintenance and Cluster services tell of a member and of the cluster. */

import type { CallOptions, Caller } from './caller.js';
import { bigOf, coldUnary, flagOf, messageOf, messagesOf, numberOf, textOf, textsOf, type Message } from './cold-call.js';
import type { ResponseHeader } from '../api/requests.js';

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

export interface Member {
  readonly id: bigint;
  /** Empty: it never started. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  readonly clientUrls: readonly string[];
  readonly isLearner: boolean;
}

export interface MemberList {
  readonly header: ResponseHeader;
  readonly members: readonly Member[];
}

export type HealthStatus = 'SERVING' | 'NOT_SERVING' | 'UNKNOWN' | 'SERVICE_UNKNOWN';

function headerOf(message: Message): ResponseHeader {
  const header = messageOf(message, 'header');
  return {
    clusterId: bigOf(header, 'cluster_id'),
    memberId: bigOf(header, 'member_id'),
    revision: numberOf(header, 'revision'),
    raftTerm: numberOf(header, 'raft_term'),
  };
}

export async function statusOf(caller: Caller, options: CallOptions): Promise<MemberStatus> {
  const message = await coldUnary(caller, 'etcdserverpb.Maintenance', 'Status', {}, options, true);
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

export async function memberList(caller: Caller, options: CallOptions): Promise<MemberList> {
  const message = await coldUnary(caller, 'etcdserverpb.Cluster', 'MemberList', {}, options, true);
  const members = messagesOf(message, 'members').map((member) => ({
    id: bigOf(member, 'ID'),
    name: textOf(member, 'name'),
    peerUrls: textsOf(member, 'peerURLs'),
    clientUrls: textsOf(member, 'clientURLs'),
    isLearner: flagOf(member, 'isLearner'),
  }));
  return { header: headerOf(message), members };
}

export async function moveLeader(caller: Caller, target: bigint, options: CallOptions): Promise<void> {
  await coldUnary(caller, 'etcdserverpb.Maintenance', 'MoveLeader', { targetID: target.toString() }, options, false);
}

export async function healthOf(caller: Caller, service: string, options: CallOptions): Promise<HealthStatus> {
  const message = await coldUnary(caller, 'grpc.health.v1.Health', 'Check', { service }, options, true);
  return textOf(message, 'status') as HealthStatus;
}
