/**
 * The rules of a re-admission, as functions of what is known: the members decide by them whether
 * one is let in, and the one that comes back what it may do. A model runs them through every order
 * of faults (`readmission-model.test.ts`).
 *
 * Why it is safe. R1 R2 A member that cannot know what it has promised is, from the intent on, one
 * that has crashed for ever: it sends nothing under its old id but the question, so no vote and no
 * acknowledgement can contradict those that it has forgotten. The new id has promised nothing. It
 * counts for no quorum until one joint change, which majorities with and without it have agreed
 * to, puts it in the place of the old one; then the old id is removed, and an id that was removed
 * never counts again. So re-admission is nothing but the replacement of a dead member, and what was
 * committed with the old one's acknowledgement is held by every quorum that decides the change.
 */

import type { LogIndex, NodeId } from '../../base/ids.js';
import { isJoint, type Members } from '../state/members.js';
import type { IntentStage, RecoverIntent } from './intent.js';

/** How a member says who it was. */
export interface Claim {
  /** Ids that its files show. */
  readonly shown: readonly NodeId[];
  /** What else may count; undefined: nothing. */
  readonly place: { readonly name: string; readonly peerUrls: readonly string[] } | undefined;
}

/** Which member that is: a voter before a learner; 0: none that is in the cluster. */
export function whoWas({ list, confState }: Members, { shown, place }: Claim): NodeId {
  const isIt = ({ id, name, peerUrls }: Members['list'][number]): boolean =>
    shown.includes(id) || (place !== undefined && (name === '' || name === place.name) && peerUrls.some((url) => place.peerUrls.includes(url)));
  const found = list.filter(isIt).map(({ id }) => id);
  return found.find((id) => confState.voters.includes(id)) ?? found[0] ?? 0;
}

/**
 * Whose place the one takes that was let in as `id`, once it has caught up; 0: it stays a learner,
 * as it was. A voter at its own place is what it was, though its files may show only what it was to
 * be after that, and never came to be: nobody else is let in at the place of another.
 */
export function placeOf(members: Members, claim: Claim, id: NodeId): NodeId {
  const { list, confState } = members;
  const { peerUrls = [] } = list.find((member) => member.id === id) ?? {};
  const voters = list.filter((member) => member.id !== id && confState.voters.includes(member.id));
  const was = whoWas({ ...members, list: voters }, claim);
  return was === 0 ? (voters.find((member) => member.peerUrls.some((url) => peerUrls.includes(url)))?.id ?? 0) : was;
}

/**
 * What a directory may do at each stage of its intent. `asks` under the old id, `takesPart` under
 * the new one; without an intent a member does what it always does.
 */
export function mayDo(stage: IntentStage | undefined): { readonly asks: boolean; readonly takesPart: boolean } {
  return { asks: stage === 'asks', takesPart: stage === undefined || stage === 'begun' };
}

/**
 *   wait      it has to catch up, or the cluster is in the middle of a change
 *   replace   it asks for the vote of the member whose place it takes
 *   over      nothing is left to do
 *   orphaned  somebody else has removed the one whose place it would have taken: nobody has decided
 *             that it gets a vote
 */
export type NextStep = 'wait' | 'replace' | 'over' | 'orphaned';

export function nextStep({ list, confState }: Members, { id, replaces, past }: RecoverIntent, applied: LogIndex): NextStep {
  if (isJoint(confState) || !list.some((member) => member.id === id)) return 'wait';
  if (confState.voters.includes(id) || replaces === 0) return 'over';
  if (!list.some((member) => member.id === replaces)) return 'orphaned';
  return applied >= past ? 'replace' : 'wait';
}
