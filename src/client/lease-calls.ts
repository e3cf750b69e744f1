/**
 * etcd's Lease service, call by call. Ids are int64, times are seconds. A keep-alive is a stream of
 * one request: the server answers it and is done, so that it is asked again at another endpoint
 * like any read.
 */

import { ReflectedRpc, type Message } from '../api/protos/reflected-rpc.js';
import type { Effect } from '../api/rpc.js';
import type { ResponseHeader } from '../api/requests.js';
import { callUnary } from './call.js';
import type { CallOptions, Caller } from './caller.js';
import { badArgument, ClientError } from './errors.js';
import { headerOf } from './maintenance.js';
import { bigOf, messagesOf, numberOf } from './message.js';

export interface LeaseOptions {
  /** Seconds, whole; the cluster raises one that is too short. */
  readonly ttl: number;
  /** 0n: the cluster picks one. */
  readonly id?: bigint;
}

export interface LeaseGranted {
  readonly header: ResponseHeader;
  readonly id: bigint;
  /** Seconds, as the cluster counts them from now on. */
  readonly ttl: number;
}

export interface LeaseRevoked {
  readonly header: ResponseHeader;
}

export interface LeaseTimeToLive {
  readonly header: ResponseHeader;
  readonly id: bigint;
  /** Seconds that are left; -1: there is no such lease. */
  readonly ttl: number;
  /** Seconds; 0: there is no such lease. */
  readonly grantedTtl: number;
  /** What goes with it, if that was asked for. */
  readonly keys: readonly Uint8Array[];
}

export interface LeaseList {
  readonly header: ResponseHeader;
  readonly ids: readonly bigint[];
}

const SERVICE = 'etcdserverpb.Lease';

function idText(id: bigint): string {
  if (typeof id !== 'bigint' || BigInt.asIntN(64, id) !== id) throw badArgument(`the id of a lease is a bigint of 64 bits, got ${id}`);
  return id.toString();
}

function grantedOf(message: Message): LeaseGranted {
  return { header: headerOf(message), id: bigOf(message, 'ID'), ttl: numberOf(message, 'TTL') };
}

export async function leaseGrant(caller: Caller, { ttl, id = 0n }: LeaseOptions, options: CallOptions): Promise<LeaseGranted> {
  if (!Number.isSafeInteger(ttl)) throw badArgument(`ttl is a whole number of seconds, got ${ttl}`);
  return grantedOf(await callUnary(caller, new ReflectedRpc(SERVICE, 'LeaseGrant', 'write'), { TTL: String(ttl), ID: idText(id) }, options));
}

/** `effect`: `read` where a revoke that finds no lease is as good as one that was carried out. */
export async function leaseRevoke(caller: Caller, id: bigint, options: CallOptions, effect: Effect = 'write'): Promise<LeaseRevoked> {
  const message = await callUnary(caller, new ReflectedRpc(SERVICE, 'LeaseRevoke', effect), { ID: idText(id) }, options);
  return { header: headerOf(message) };
}

/** Rejects with NOT_FOUND if there is no such lease (any more). */
export async function leaseKeepAlive(caller: Caller, id: bigint, options: CallOptions): Promise<LeaseGranted> {
  const answer = grantedOf(await callUnary(caller, new ReflectedRpc(SERVICE, 'LeaseKeepAlive', 'read'), { ID: idText(id) }, options));
  if (answer.ttl <= 0) throw new ClientError('NOT_FOUND', { details: 'etcdserver: requested lease not found' });
  return answer;
}

export async function leaseTimeToLive(
  caller: Caller, id: bigint, options: CallOptions & { readonly keys?: boolean },
): Promise<LeaseTimeToLive> {
  const request = { ID: idText(id), keys: options.keys ?? false };
  const message = await callUnary(caller, new ReflectedRpc(SERVICE, 'LeaseTimeToLive', 'read'), request, options);
  return { ...grantedOf(message), grantedTtl: numberOf(message, 'grantedTTL'), keys: (message['keys'] ?? []) as Uint8Array[] };
}

export async function leaseList(caller: Caller, options: CallOptions): Promise<LeaseList> {
  const message = await callUnary(caller, new ReflectedRpc(SERVICE, 'LeaseLeases', 'read'), {}, options);
  return { header: headerOf(message), ids: messagesOf(message, 'leases').map((lease) => bigOf(lease, 'ID')) };
}
