/**
 * The ids of a cluster that begins with a backup. Its flags may be those of the old cluster, and
 * of another that the same token was given to; what tells them apart is what they begin with.
 *
 *   - R1 The cluster's id follows from the token, the members' URLs and the digest of the version
 *     that the cluster begins with. That holds the entry at which the backup was taken, so it is
 *     never the old cluster's; and members that begin with different tables (another backup,
 *     another `--bump-revision`) are in different clusters, and refuse each other.
 *   - A member's id follows from the token, the cluster's id and its URLs. So whoever has the flags
 *     can tell of a cluster that it is told of whether it was restored with this token.
 */

import type { Digest128, NodeId } from '../../base/ids.js';
import type { MemberConfig } from '../../replica/base/member-config.js';
import type { ClusterDescription } from '../../replica/state/description.js';
import type { Identity } from '../../replica/state/joined.js';
import { id53, type Cluster } from './config.js';

/** `flags`: as `clusterOf` has it of the same token. */
export function restoredIdentity({ members, self }: Cluster, token: string, beginning: Digest128): Identity {
  const urls = members.flatMap(({ peerUrls }) => peerUrls).sort();
  const clusterId = BigInt(id53('kintsugi restored cluster', token, beginning, ...urls));
  const renamed = (member: MemberConfig): MemberConfig => ({ ...member, id: restoredMemberId(token, clusterId, member.peerUrls) });
  return { self: renamed(self).id, clusterId, members: members.map(renamed), joins: [] };
}

function restoredMemberId(token: string, clusterId: bigint, peerUrls: readonly string[]): NodeId {
  return id53('kintsugi restored member', token, clusterId.toString(), ...[...peerUrls].sort());
}

export function isRestoredWith(token: string, { clusterId, members: { origin } }: ClusterDescription): boolean {
  return origin.length > 0 && origin.every(({ id, peerUrls }) => id === restoredMemberId(token, clusterId, peerUrls));
}
