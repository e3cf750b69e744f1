/**
 * Which member a machine is that only knows where it is found: what those say whom it asks. Any of
 * them may be far behind, and speak of a member that was at this place before.
 *
 * R1 The newest of what is told counts, and only once a majority of the others that vote by it have
 * answered: who is behind, cut off or put back decides nothing alone. Nobody is who was removed, as
 * far as anybody says. Where a majority is behind all the same, the start check asks again
 * (`start/start-check.ts`).
 */

import type { NodeId } from '../../base/ids.js';
import type { ClusterDescription } from './description.js';
import type { Members } from './members.js';

export interface Told {
  /** Who was asked. */
  readonly url: string;
  readonly description: ClusterDescription;
}

export interface Found {
  /** 0: nobody is at this place. */
  readonly self: NodeId;
  readonly description: ClusterDescription;
  /** Where others vote that have not answered, while those that have are no majority. */
  readonly lacking: readonly string[];
}

/** `who` is asked which member it is, 0 for none. Undefined: nothing is told. */
export function foundBy(told: readonly Told[], who: (members: Members) => NodeId): Found | undefined {
  let found: Found | undefined;
  for (const description of newestOfEach(told)) {
    const of = told.filter((each) => each.description.clusterId === description.clusterId);
    const own = who(description.members);
    const self = of.some(({ description: { members } }) => members.removed.includes(own)) ? 0 : own;
    const next = { self, description, lacking: lackingOf(description, self, of) };
    if (found === undefined || worthOf(next) > worthOf(found)) found = next;
  }
  return found;
}

/** The member whose peer URL is one of these; 0: nobody. */
export function memberAt(urls: readonly string[]): (members: Members) => NodeId {
  return ({ list }) => list.find(({ peerUrls }) => peerUrls.some((url) => urls.includes(url)))?.id ?? 0;
}

function worthOf({ self, lacking }: Found): number {
  return 2 * Number(self !== 0) + Number(lacking.length === 0);
}

/** Of each cluster that somebody tells of: at wrong addresses there may be others. */
function newestOfEach(told: readonly Told[]): ClusterDescription[] {
  const newest = new Map<bigint, ClusterDescription>();
  for (const { description } of told) {
    const best = newest.get(description.clusterId);
    if (best === undefined || isNewer(description.members, best.members)) newest.set(description.clusterId, description);
  }
  return [...newest.values()];
}

/** By the changes that each remembers; those that are further apart than that, by who is gone. */
function isNewer(a: Members, b: Members): boolean {
  const last = b.tokens.at(-1);
  if (last === undefined ? a.tokens.length > 0 : a.tokens.includes(last) && a.tokens.at(-1) !== last) return true;
  const isOlder = a.tokens.length === 0 ? b.tokens.length > 0 : b.tokens.includes(a.tokens.at(-1) ?? 0) && last !== a.tokens.at(-1);
  return !isOlder && a.removed.length > b.removed.length;
}

/** `told`: of this cluster. */
function lackingOf({ members }: ClusterDescription, self: NodeId, told: readonly Told[]): readonly string[] {
  const answered = new Set(told.map(({ url }) => url));
  const { voters, votersOutgoing } = members.confState;
  const lacking = new Set<string>();
  for (const half of [voters, votersOutgoing]) {
    const others = half.filter((id) => id !== self).map((id) => members.list.find((member) => member.id === id)?.peerUrls ?? []);
    const silent = others.filter((urls) => !urls.some((url) => answered.has(url)));
    if (others.length > 0 && 2 * silent.length >= others.length) for (const [url = ''] of silent) lacking.add(url);
  }
  return [...lacking];
}
