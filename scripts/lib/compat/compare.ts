/** What two servers said to the same calls, side by side; and which differences have a name. */

import type { Told } from './peer.js';

export interface Difference {
  readonly case: string;
  readonly call: string;
  readonly theirs: string;
  readonly ours: string;
  /** Why it is as it should be; undefined: it is not known to be. */
  readonly reason: string | undefined;
}

/** A difference that is meant: every call of that kind, in that case. */
export interface Known {
  readonly call: RegExp;
  /** What ours says. */
  readonly ours?: RegExp;
  readonly reason: string;
  /** Versions of etcd of which it holds; default: all. */
  readonly etcd?: RegExp;
}

export const RECORD_KNOWN: readonly Known[] = [
  {
    call: /^members: .*: Cluster\/MemberRemove .*"ID":"\d{6,}"/,
    reason: 'the last voter is not removed: ours answers FAILED_PRECONDITION, as etcd 3.4 and 3.5 do, not UNKNOWN',
  },
  {
    call: /Maintenance\/Downgrade .*"version":"1"/,
    reason: 'versions of our clusters are whole numbers, and 1 is one that there is',
  },
  {
    call: /Maintenance\/Status |\/v3\/maintenance\/status /,
    reason: 'etcd has a quota of 2 GiB unless told otherwise; ours has none: dbSizeQuota is 0',
  },
  {
    call: /Maintenance\/HashKV .*"revision":"-1"/,
    reason: 'the revision that was hashed is told, not the -1 that was asked for',
  },
  {
    call: /v3(lockpb|electionpb)\./,
    ours: /^UNAUTHENTICATED: /,
    reason: 'a client logs in again when it is told this code, which etcd makes UNKNOWN here',
  },
  {
    call: /v3electionpb.Election\/Observe /,
    ours: /^UNKNOWN: etcdserver: (permission denied|user name is empty)/,
    reason: 'whoever may not observe is told so; etcd ends the stream as if all were well',
  },
  {
    call: /json: .*: POST \/v3\/(lease\/keepalive|watch) /,
    ours: /"error":\{"code":3,"message":"(invalid character|proto: )|the end$/,
    reason: 'a stream whose request cannot be read is told so; etcd stops reading it and says nothing',
  },
  {
    call: /json: .*: GET \/health/,
    ours: /^(200|503) \(application\/json\) /,
    reason: 'what is JSON is said to be; etcd says that it is text',
  },
  {
    call: /json: .*: (POST \/(v3alpha|v4|etcdserverpb)|GET \/(livez|readyz)\/)/,
    ours: /^404 .* not found; there are /,
    reason: 'the words of a 404 name the pages that there are',
  },
];

/** Where one said less than the other, the rest counts as `nothing was said`. */
export function differences(name: string, theirs: readonly Told[], ours: readonly Told[], known: readonly Known[]): Difference[] {
  const found: Difference[] = [];
  for (let i = 0; i < Math.max(theirs.length, ours.length); i++) {
    const their = theirs[i];
    const our = ours[i];
    // Ids that the server picked are part of later calls.
    const call = (our ?? their)?.call ?? '';
    if (their?.answer === our?.answer) continue;
    const reason = known.find((each) => each.call.test(`${name}: ${call}`) && (each.ours?.test(our?.answer ?? '') ?? true))?.reason;
    found.push({ case: name, call, theirs: their?.answer ?? 'nothing was said', ours: our?.answer ?? 'nothing was said', reason });
  }
  return found;
}
