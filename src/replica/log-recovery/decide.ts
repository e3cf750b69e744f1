/**
 * What becomes of an entry that this member has lost, once others have said what they know of it. A
 * function of what was said, and of nothing else.
 *
 * R6 it is cut, with all that follows, only if it is proven never to have been committed: a leader
 * says so, or a majority of voters will never count for it. Otherwise whoever has it gives it; and
 * if nobody does, this member waits.
 */

import type { NodeId, Term } from '../../base/ids.js';
import type { Says } from './says.js';

export interface Heard {
  readonly from: NodeId;
  readonly says: Says;
  /** 0: it does not lead. */
  readonly leads: Term;
}

export type Verdict =
  | { readonly do: 'take'; readonly from: NodeId }
  /** What this member had from there on goes; the leader's takes its place. */
  | { readonly do: 'follow'; readonly from: NodeId; readonly term: Term }
  /** It and all that follows go, once this member's term is at least `term`. */
  | { readonly do: 'cut'; readonly term: Term }
  /**
   * The log begins where that member's does; a version of a peer's takes the place of what is
   * before.
   */
  | { readonly do: 'begin-later'; readonly from: NodeId }
  | { readonly do: 'wait'; readonly why: string };

export interface Quorum {
  /** Whether they are a majority of the voters, of both halves if the configuration is joint. */
  isMajority(members: ReadonlySet<NodeId>): boolean;
}

/**
 * `bound`: the newest term in which this member may have acknowledged anything. `patient`: whoever
 * is away has been waited for.
 */
export function decide(heard: readonly Heard[], quorum: Quorum, bound: Term, patient: boolean): Verdict {
  const first = (what: Says): Heard | undefined => heard.find(({ says }) => says === what);
  const have = first('have');
  if (have) return { do: 'take', from: have.from };
  const follow = first('follow');
  if (follow) return { do: 'follow', from: follow.from, term: follow.leads };
  const none = first('none');
  if (none) return { do: 'cut', term: none.leads };
  const lacking = new Set(heard.filter(({ says }) => says === 'lacks').map(({ from }) => from));
  // Above all terms in which it may have acknowledged it: whoever led them must not take this
  // member's log for what it was.
  if (quorum.isMajority(lacking)) return { do: 'cut', term: bound + 1 };
  const compacted = first('compacted');
  if (compacted && patient) return { do: 'begin-later', from: compacted.from };
  return { do: 'wait', why: whyWait(heard) };
}

function whyWait(heard: readonly Heard[]): string {
  if (heard.length === 0) return 'no member can be asked';
  const faulty = heard.filter(({ says }) => says === 'faulty').length;
  if (faulty === heard.length) return `all ${faulty} members that can be asked have lost it, too`;
  return `of ${heard.length} members that can be asked ${faulty} have lost it, too, and the others do not know`;
}
