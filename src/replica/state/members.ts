/**
 * The members of the cluster, as the log has led to them: who they are, where they are, what each
 * may do. A value that never changes; the next one is made from it by {@link changeMembers}, a
 * function of value and change alone (S2), so that every replica decides alike which changes are
 * carried out.
 *
 * An id is given out once: that of a member that was removed stays among the removed for ever, so
 * that its promises can never be mistaken for another's (R1). The configuration of Raft is part of
 * the value and moves only by the rules of `raft/confchange.ts`.
 */

import { assert } from '../../base/assert.js';
import type { EtcdErrorCode } from '../../api/etcd-error.js';
import { codeOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { changeConfig } from '../../raft/confchange.js';
import type { ConfChange, ConfState } from '../../raft/types.js';
import type { MemberConfig } from '../base/member-config.js';

export interface MemberRecord {
  readonly id: NodeId;
  /** Empty until the member has said it. */
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** Undefined: it has not said them through the log; what it says in gossip counts. */
  readonly clientUrls: readonly string[] | undefined;
}

export interface Members {
  /** What the flags say: not in the log yet, and not in the tree. */
  readonly isStatic: boolean;
  /** By id, ascending. */
  readonly list: readonly MemberRecord[];
  /** Ascending. */
  readonly removed: readonly NodeId[];
  readonly confState: ConfState;
  /** With whom the log began: what a replica knows before its first entry. Ascending. */
  readonly origin: readonly MemberConfig[];
  /** Of the newest changes, the oldest first: none of them is carried out again. */
  readonly tokens: readonly number[];
}

export type MemberChange =
  | { readonly kind: 'add'; readonly id: NodeId; readonly peerUrls: readonly string[]; readonly learner: boolean }
  | { readonly kind: 'promote'; readonly id: NodeId }
  | { readonly kind: 'remove'; readonly id: NodeId }
  /** Where it is found. */
  | { readonly kind: 'update'; readonly id: NodeId; readonly peerUrls: readonly string[] }
  /** What it says of itself. */
  | { readonly kind: 'publish'; readonly id: NodeId; readonly name: string; readonly clientUrls: readonly string[] }
  /** At once: the learner becomes a voter, and the other one goes. */
  | { readonly kind: 'replace'; readonly id: NodeId; readonly removed: NodeId }
  /**
   * A new member at the place of `of`, which has forgotten what it promised: a learner with its
   * peer URLs, until a `replace`. Learners at that place go at once: `dropped`, and `of` too if it
   * is one.
   */
  | { readonly kind: 'readmit'; readonly id: NodeId; readonly of: NodeId; readonly dropped: readonly NodeId[] };

/** The changes whose tokens are remembered: far more than can be on their way at one time. */
export const MAX_TOKENS = 64;
/** As many as etcd takes by default. */
export const MAX_LEARNERS = 1;

/** Learners at the same place: what is left of an earlier try to be re-admitted there. */
export function rivalsOf({ list, confState }: Members, { id, of }: { readonly id: NodeId; readonly of: NodeId }): readonly NodeId[] {
  const urls = list.find((member) => member.id === of)?.peerUrls ?? [];
  return confState.learners.filter((learner) => learner !== id && hasAny(list.find((member) => member.id === learner), urls));
}

/**
 * One as etcd has it, and as many that are re-admitted as there may be voters away while the others
 * are a quorum.
 */
function maxLearners({ voters }: ConfState): number {
  return MAX_LEARNERS + Math.floor((voters.length - 1) / 2);
}

/** What the flags say. */
export function staticMembers(members: readonly MemberConfig[]): Members {
  const origin = [...members].sort((a, b) => a.id - b.id);
  const voters = origin.map(({ id }) => id);
  const confState: ConfState = { voters, votersOutgoing: [], learners: [], learnersNext: [], autoLeave: false };
  const list = members.map(({ id, name, peerUrls }) => ({ id, name, peerUrls, clientUrls: undefined }));
  return { isStatic: true, list, removed: [], confState, origin, tokens: [] };
}

/**
 * As the flags say them, for a version of the cluster that knows no change of the members;
 * undefined: they are not those any more, or an id is used up, which it could not remember.
 */
export function asStatic(members: Members): Members | undefined {
  const { isStatic, list, origin, removed, confState } = members;
  if (isStatic) return members;
  const asBegun = origin.length === list.length && origin.every(({ id, peerUrls }) => {
    const now = list.find((member) => member.id === id);
    return now !== undefined && JSON.stringify(now.peerUrls) === JSON.stringify(peerUrls);
  });
  const allVote = !isJoint(confState) && confState.learners.length === 0;
  return asBegun && allVote && removed.length === 0 ? staticMembers(origin) : undefined;
}

export function isJoint({ votersOutgoing }: ConfState): boolean {
  return votersOutgoing.length > 0;
}

/** What Raft is told of a change. */
export function confChangeOf(change: MemberChange): ConfChange {
  const { id } = change;
  switch (change.kind) {
    case 'add':
      return { transition: 'auto', changes: [{ type: change.learner ? 'addLearner' : 'addVoter', nodeId: id }] };
    case 'promote':
      return { transition: 'auto', changes: [{ type: 'addVoter', nodeId: id }] };
    case 'remove':
      return { transition: 'auto', changes: [{ type: 'remove', nodeId: id }] };
    case 'update':
    case 'publish':
      return { transition: 'auto', changes: [{ type: 'update', nodeId: id }] };
    case 'replace':
      return { transition: 'auto', changes: [{ type: 'addVoter', nodeId: id }, { type: 'remove', nodeId: change.removed }] };
    case 'readmit': {
      const dropped = change.dropped.map((nodeId) => ({ type: 'remove' as const, nodeId }));
      return { transition: 'auto', changes: [...dropped, { type: 'addLearner', nodeId: id }] };
    }
  }
}

/** Why a change is not carried out, by the members alone; undefined: it is. */
export function refusalOf(members: Members, change: MemberChange): EtcdErrorCode | undefined {
  const { list, removed, confState } = members;
  const { id } = change;
  const known = list.some((member) => member.id === id);
  switch (change.kind) {
    case 'add':
      if (known || removed.includes(id)) return 'MEMBER_EXISTS';
      if (change.learner && confState.learners.length >= MAX_LEARNERS) return 'TOO_MANY_LEARNERS';
      return anyHas(list, change.peerUrls, 0) ? 'PEER_URL_EXISTS' : undefined;
    case 'promote':
      if (!known) return 'MEMBER_NOT_FOUND';
      return confState.learners.includes(id) ? undefined : 'MEMBER_NOT_LEARNER';
    case 'remove':
      if (!known) return 'MEMBER_NOT_FOUND';
      return confState.voters.length === 1 && confState.voters[0] === id ? 'NOT_ENOUGH_STARTED' : undefined;
    case 'update':
      if (!known) return 'MEMBER_NOT_FOUND';
      return anyHas(list, change.peerUrls, id) ? 'PEER_URL_EXISTS' : undefined;
    case 'publish':
      return known ? undefined : 'MEMBER_NOT_FOUND';
    case 'replace':
      if (!known || !list.some((member) => member.id === change.removed)) return 'MEMBER_NOT_FOUND';
      return confState.learners.includes(id) && change.removed !== id ? undefined : 'MEMBER_NOT_LEARNER';
    case 'readmit': {
      if (known || removed.includes(id)) return 'MEMBER_EXISTS';
      if (!list.some((member) => member.id === change.of)) return 'MEMBER_NOT_FOUND';
      const rivals = rivalsOf(members, change);
      if (rivals.length !== change.dropped.length || !rivals.every((rival) => change.dropped.includes(rival))) return 'UNHEALTHY';
      return confState.learners.length - rivals.length >= maxLearners(confState) ? 'TOO_MANY_LEARNERS' : undefined;
    }
  }
}

function hasAny(member: MemberRecord | undefined, urls: readonly string[]): boolean {
  return member?.peerUrls.some((url) => urls.includes(url)) === true;
}

/** Whom a change removes. */
export function goneBy(change: MemberChange): readonly NodeId[] {
  switch (change.kind) {
    case 'remove': return [change.id];
    case 'replace': return [change.removed];
    case 'readmit': return change.dropped;
    case 'add':
    case 'promote':
    case 'update':
    case 'publish': return [];
  }
}

/** One of the URLs is another member's. */
function anyHas(list: readonly MemberRecord[], urls: readonly string[], but: NodeId): boolean {
  return list.some((member) => member.id !== but && hasAny(member, urls));
}

/**
 * A committed change is applied: the members from then on, or why it is not carried out. `base`:
 * with whom the log began, if nothing of the log has said so yet.
 */
export function changeMembers(
  before: Members, token: number, change: MemberChange, base: readonly MemberConfig[],
): Members | EtcdErrorCode {
  const from: Members = before.isStatic ? { ...staticMembers(base), isStatic: false } : before;
  if (from.tokens.includes(token)) return 'MEMBER_EXISTS';
  const refusal = refusalOf(from, change);
  if (refusal !== undefined) return refusal;
  let confState: ConfState;
  try {
    confState = changeConfig(from.confState, confChangeOf(change));
  } catch (error) {
    if (codeOf(error) !== 'INVALID_CONF_CHANGE') throw error;
    return 'UNHEALTHY';
  }
  assert(confState.voters.length > 0, 'R1 a change of the members leaves a voter');
  const gone = goneBy(change);
  assert(!isJoint(confState) || change.kind === 'replace' || gone.length > 0, `R1 a change of kind ${change.kind} needs no joint configuration`);
  return {
    isStatic: false,
    origin: from.origin,
    confState,
    list: inConfig(changedList(from.list, change), confState),
    removed: gone.length === 0 ? from.removed : [...from.removed, ...gone].sort((a, b) => a - b),
    tokens: [...from.tokens, token].slice(-MAX_TOKENS),
  };
}

function changedList(list: readonly MemberRecord[], change: MemberChange): readonly MemberRecord[] {
  switch (change.kind) {
    case 'add': {
      const added = { id: change.id, name: '', peerUrls: change.peerUrls, clientUrls: undefined };
      return [...list, added].sort((a, b) => a.id - b.id);
    }
    case 'update':
      return list.map((member) => (member.id === change.id ? { ...member, peerUrls: change.peerUrls } : member));
    case 'readmit': {
      const { peerUrls = [] } = list.find((member) => member.id === change.of) ?? {};
      return [...list, { id: change.id, name: '', peerUrls, clientUrls: undefined }].sort((a, b) => a.id - b.id);
    }
    case 'publish': {
      const { name, clientUrls } = change;
      return list.map((member) => (member.id === change.id ? { ...member, name, clientUrls } : member));
    }
    case 'promote':
    case 'remove':
    case 'replace':
      return list;
  }
}

/** The joint configuration is left. As it was, if there is none. */
export function leaveJoint(before: Members): Members {
  if (!isJoint(before.confState)) return before;
  const confState = changeConfig(before.confState, { transition: 'auto', changes: [] });
  return { ...before, confState, list: inConfig(before.list, confState) };
}

/** Who leaves is a member as long as it has a vote. */
function inConfig(list: readonly MemberRecord[], { voters, votersOutgoing, learners }: ConfState): readonly MemberRecord[] {
  return list.filter(({ id }) => voters.includes(id) || votersOutgoing.includes(id) || learners.includes(id));
}
