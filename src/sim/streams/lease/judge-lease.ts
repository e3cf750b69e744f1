/**
 * What clients were told of a lease, held against when it ended. A keep-alive that is answered was
 * carried out between its call and its answer, so that the lease cannot end before its TTL has
 * passed since the call; and nothing that begins after the end finds the lease. Nor does an answer
 * say that it was there at a revision at which its keys were gone (etcd#20615).
 */

import type { Kv } from '../../workload/history/operation.js';
import type { OpRecord } from '../../workload/history/history.js';
import { keyName } from '../../workload/history/describe.js';
import type { Ended } from './lease-ends.js';
import type { Asked, LeaseRecord } from './lease-record.js';

export interface LeaseFault {
  readonly check: string;
  readonly why: string;
  readonly node: number;
}

export const LEASE_EARLY = 'a lease that is kept alive does not end';
export const LEASE_AFTER_END = 'nothing keeps a lease alive that has ended';
export const LEASE_REVISION = 'a lease that is kept alive was there at the revision of the answer';
export const LEASE_LOST = 'a lease is there until it ends';
export const LEASE_TTL = 'the time that is left of a lease is told as it is';
export const LEASE_KEYS = 'keys go with their lease';

const SECOND_US = 1_000_000;
/** A new leader adds no more than half an election. */
const ADDED_S = 1;

/**
 * `operations`: the puts that name it, and its revokes. `histories`: all versions of each key,
 * oldest first.
 */
export function judgeLease(
  lease: LeaseRecord, ended: Ended | undefined, operations: readonly OpRecord[], histories: readonly (readonly Kv[])[],
): LeaseFault | undefined {
  return judgeEnd(lease, ended) ?? judgeRevisions(lease, ended) ?? judgeKeptAlive(lease, ended) ?? judgeTimes(lease, ended)
    ?? judgeOperations(lease, ended, operations) ?? (ended && judgeKeys(lease, ended, histories));
}

function seconds(us: number): string {
  return `${(us / 1e6).toFixed(3)} s`;
}

/** Whether it may have ended then, by the answers that came so far. */
export function judgeEnd(lease: LeaseRecord, ended: Ended | undefined): LeaseFault | undefined {
  if (ended === undefined) {
    if (lease.grantedUs === Infinity) return undefined;
    return { check: LEASE_LOST, why: `${String(lease)}: no entry of the log ends it, and it is gone`, node: 0 };
  }
  for (const { callUs, ttl, node } of [{ callUs: lease.callUs, ttl: 1, node: ended.node }, ...lease.keptAlive]) {
    if (ttl === 0) continue;
    const why = `${String(lease)}: asked to be kept alive at ${seconds(callUs)}, which was done; by ${ended.by} it ended at ${seconds(ended.atUs)}`;
    if (callUs > ended.atUs) return { check: LEASE_AFTER_END, why, node };
    if (ended.by === 'time' && ended.atUs < callUs + lease.ttlUs) return { check: LEASE_EARLY, why, node: ended.node };
  }
  return undefined;
}

function judgeRevisions(lease: LeaseRecord, ended: Ended | undefined): LeaseFault | undefined {
  if (ended?.tookKeys !== true) return undefined;
  const after = lease.keptAlive.find(({ ttl, revision }) => ttl > 0 && revision >= ended.revision);
  if (after === undefined) return undefined;
  const why = `${String(lease)}: ${after.ttl} s as of revision ${after.revision}, asked at ${seconds(after.callUs)}; its keys went at ${ended.revision}`;
  return { check: LEASE_REVISION, why, node: after.node };
}

/** Whoever hears that there is none asked before it was there, or was answered after its end. */
function mayBeGone(lease: LeaseRecord, ended: Ended | undefined, { callUs, retUs }: Pick<Asked, 'callUs' | 'retUs'>): boolean {
  return lease.grantedUs >= callUs || (ended !== undefined && ended.atUs <= retUs);
}

function judgeKeptAlive(lease: LeaseRecord, ended: Ended | undefined): LeaseFault | undefined {
  for (const asked of lease.keptAlive) {
    const { ttl, callUs, node } = asked;
    const what = `${String(lease)}: a keep-alive of ${seconds(callUs)} was answered with ${ttl} s`;
    if (ttl === 0 && !mayBeGone(lease, ended, asked)) return { check: LEASE_LOST, why: `${what}; it ended at ${seconds(ended?.atUs ?? Infinity)}`, node };
    if (ttl !== 0 && ttl !== lease.ttl && lease.grantedUs < Infinity) return { check: LEASE_TTL, why: what, node };
  }
  return undefined;
}

function judgeTimes(lease: LeaseRecord, ended: Ended | undefined): LeaseFault | undefined {
  for (const told of lease.timeTold) {
    const { ttl, granted, callUs, retUs, node } = told;
    const asked = `${String(lease)}: asked at ${seconds(callUs)}, ${ttl} of ${granted} s was told`;
    const fault = (check: string, what: string): LeaseFault => ({ check, why: `${asked}: ${what}`, node });
    if (ttl < 0) {
      if (!mayBeGone(lease, ended, told)) return fault(LEASE_LOST, `it ended at ${seconds(ended?.atUs ?? Infinity)}`);
      continue;
    }
    if (ended !== undefined && ended.atUs < callUs) return fault(LEASE_AFTER_END, `it had ended at ${seconds(ended.atUs)}`);
    if (lease.grantedUs < Infinity && (granted !== lease.ttl || ttl > lease.ttl + ADDED_S)) return fault(LEASE_TTL, 'it is more than was granted');
    const before = lease.keptAlive.filter((each) => each.ttl > 0 && each.retUs < callUs);
    const kept = Math.max(lease.callUs, ...before.map((each) => each.callUs));
    if (ttl < Math.floor((kept + lease.ttlUs - retUs) / SECOND_US)) return fault(LEASE_TTL, `it was kept alive at ${seconds(kept)}`);
  }
  return undefined;
}

function judgeOperations(lease: LeaseRecord, ended: Ended | undefined, operations: readonly OpRecord[]): LeaseFault | undefined {
  const keys = new Set(operations.flatMap(({ op }) => (op.kind === 'put' ? [op.key] : [])));
  for (const record of operations) {
    const { op, outcome, node, callUs, retUs } = record;
    if (outcome?.kind === 'refused' && outcome.code === 'LEASE_NOT_FOUND' && !mayBeGone(lease, ended, record)) {
      return { check: LEASE_LOST, why: `${String(lease)}: a ${op.kind} of ${seconds(callUs)} was refused, as if it were not there`, node };
    }
    if (op.kind === 'revoke' && outcome?.kind === 'answered' && !(ended !== undefined && ended.atUs <= retUs)) {
      return { check: LEASE_LOST, why: `${String(lease)}: it was revoked at ${seconds(callUs)}, and no entry of the log says so`, node };
    }
  }
  for (const told of lease.timeTold) {
    const foreign = told.keys.find((key) => !keys.has(key));
    if (foreign !== undefined) return { check: LEASE_KEYS, why: `${String(lease)}: it is said to have key ${keyName(foreign)}, which nobody gave it`, node: told.node };
  }
  return undefined;
}

/** All at once: none has it at the revision at which the lease was gone, or later. */
function judgeKeys(lease: LeaseRecord, { revision, node }: Ended, histories: readonly (readonly Kv[])[]): LeaseFault | undefined {
  for (const versions of histories) {
    for (let at = 0; at < versions.length; at++) {
      const kv = versions[at] as Kv;
      if (kv.lease !== lease.id) continue;
      const until = versions[at + 1]?.mod ?? Infinity;
      if (until <= revision) continue;
      const why = `${String(lease)}: gone at revision ${revision}; key ${keyName(kv.key)} has it from ${kv.mod} until ${until}`;
      return { check: LEASE_KEYS, why, node };
    }
  }
  return undefined;
}
