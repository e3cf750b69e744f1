/**
 * As whom a machine takes part: what a process is started with. It is the simulator's part of
 * `server/join.ts`, and changes only when an operator, or the store itself, makes the machine
 * another member.
 */

import type { NodeId } from '../../base/ids.js';
import type { MemberConfig } from '../../replica/base/member-config.js';
import type { Identity } from '../../replica/state/joined.js';
import { addressOf, placeAt } from '../network/address.js';
import type { Speaker } from '../network/endpoint.js';

export type { Identity };

export const CLUSTER_ID = 0x6b696e74n;

export function configAt(place: NodeId): MemberConfig {
  return { id: place, name: `n${place}`, peerUrls: [addressOf(place)] };
}

/** One of the first, whose id is its place. */
export function founder(place: NodeId, count: number): Identity {
  return { self: place, clusterId: CLUSTER_ID, members: Array.from({ length: count }, (_, i) => configAt(i + 1)), joins: [] };
}

export function speakerOf({ self, members, joins }: Identity): Speaker {
  const peers = new Map<NodeId, NodeId>();
  for (const { id, peerUrls } of joins.length > 0 ? joins : members) {
    const place = placeAt(peerUrls[0]);
    if (id !== self && place !== undefined) peers.set(id, place);
  }
  return { member: self, peers };
}
