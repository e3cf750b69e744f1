/** etcd's Cluster service: who is in the cluster, and changes of that. */

import { ReflectedRpc, type Message } from '../api/protos/reflected-rpc.js';
import type { ResponseHeader } from '../api/requests.js';
import { callUnary } from './call.js';
import type { CallOptions, Caller } from './caller.js';
import { headerOf } from './maintenance.js';
import { bigOf, flagOf, messageOf, messagesOf, textOf, textsOf } from './message.js';

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

export interface MemberAdded extends MemberList {
  readonly member: Member;
}

const SERVICE = 'etcdserverpb.Cluster';

function memberOf(message: Message): Member {
  return {
    id: bigOf(message, 'ID'),
    name: textOf(message, 'name'),
    peerUrls: textsOf(message, 'peerURLs'),
    clientUrls: textsOf(message, 'clientURLs'),
    isLearner: flagOf(message, 'isLearner'),
  };
}

function listOf(message: Message): MemberList {
  return { header: headerOf(message), members: messagesOf(message, 'members').map(memberOf) };
}

/** As the member knows it that answers; `linearizable`: as the cluster has agreed. */
export async function memberList(caller: Caller, options: CallOptions & { readonly linearizable?: boolean }): Promise<MemberList> {
  const { linearizable = false } = options;
  return listOf(await callUnary(caller, new ReflectedRpc(SERVICE, 'MemberList', 'read'), { linearizable }, options));
}

export async function memberAdd(
  caller: Caller, peerUrls: readonly string[], isLearner: boolean, options: CallOptions,
): Promise<MemberAdded> {
  const message = await callUnary(caller, new ReflectedRpc(SERVICE, 'MemberAdd', 'write'), { peerURLs: peerUrls, isLearner }, options);
  return { ...listOf(message), member: memberOf(messageOf(message, 'member')) };
}

export async function memberRemove(caller: Caller, id: bigint, options: CallOptions): Promise<MemberList> {
  return listOf(await callUnary(caller, new ReflectedRpc(SERVICE, 'MemberRemove', 'write'), { ID: id.toString() }, options));
}

export async function memberPromote(caller: Caller, id: bigint, options: CallOptions): Promise<MemberList> {
  return listOf(await callUnary(caller, new ReflectedRpc(SERVICE, 'MemberPromote', 'write'), { ID: id.toString() }, options));
}

export async function memberUpdate(
  caller: Caller, id: bigint, peerUrls: readonly string[], options: CallOptions,
): Promise<MemberList> {
  const request = { ID: id.toString(), peerURLs: peerUrls };
  return listOf(await callUnary(caller, new ReflectedRpc(SERVICE, 'MemberUpdate', 'write'), request, options));
}

/** In one joint change: the learner `promoted`, which is in sync, gets a vote; `removed` goes. */
export async function memberReplace(caller: Caller, promoted: bigint, removed: bigint, options: CallOptions): Promise<void> {
  const rpc = new ReflectedRpc('kintsugi.v1.Members', 'Replace', 'write');
  await callUnary(caller, rpc, { promoted: promoted.toString(), removed: removed.toString() }, options);
}
