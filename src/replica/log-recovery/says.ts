/**
 * What a member says of one entry that another member has lost. A function of what is in its log
 * there and of what it has promised, and of nothing else.
 *
 * R6 `lacks` ("do not have") is a promise: this voter does not count, and never will, for a commit
 * of that entry in any term up to `bound`, the newest in which the asking member may have
 * acknowledged anything. Its own term is durably above that, so it acknowledges nothing in those
 * terms any more; and if it had acknowledged the entry in one of them and lacks it now, a later
 * leader took it away, whose log would have had it if it had been committed. That the term is above
 * that of the entry alone is not enough: the same entry can be committed later, by a leader of a
 * term up to `bound`, with the acknowledgement that the asking member gave that leader.
 *
 * A leader of a term that is not below `bound` needs no others: its log has all that was committed
 * before its term, and in its own term nothing is committed that it lacks. What it lacks, the
 * asking member may cut, as it would if the leader's append came. So no healthy cluster has to
 * raise its term for a member that mends its log.
 */

import type { Term } from '../../base/ids.js';

/** What is at an index. */
export type Place =
  /** The log begins later: the entry was committed, and tables hold what it did. */
  | { readonly at: 'compacted' }
  /** An entry is known to have been there, or may have been, and its bytes are bad. */
  | { readonly at: 'hole' }
  | { readonly at: 'entry'; readonly term: Term }
  /** The log is known to end before. */
  | { readonly at: 'nothing' };

export interface Wanted {
  /** 0: not known. */
  readonly term: Term;
  /**
   * Of an entry whose term is not known: the log here has a later entry that the asking member
   * knows by index and term, and so, by log matching, all before it are those that it lost.
   */
  readonly proven: boolean;
  /** Whether the entry before it is the same in both logs; undefined: it is not known. */
  readonly joined: boolean | undefined;
}

export interface Witness {
  /** What hard state holds. */
  readonly term: Term;
  /** A voter of the configuration, not wiped: its promises count. */
  readonly votes: boolean;
  /** 0: it does not lead. */
  readonly leads: Term;
}

/**
 *   have        the entry, with its bytes
 *   follow      a leader: whatever the asking member had there, the leader's log has this instead,
 *               or the same
 *   none        a leader: the asking member's entry was never committed
 *   lacks       a voter: it will never count for a commit of it
 *   faulty      it had one there itself, and lost it
 *   compacted   it was committed; its log begins later
 *   unsure      another member, or a later time, can tell
 */
export const SAYINGS = ['unsure', 'have', 'follow', 'none', 'lacks', 'faulty', 'compacted'] as const;
export type Says = (typeof SAYINGS)[number];

export function says(place: Place, wanted: Wanted, bound: Term, witness: Witness): Says {
  switch (place.at) {
    case 'compacted':
      return 'compacted';
    case 'hole':
      return 'faulty';
    case 'entry':
      if (wanted.term === 0) return unknown(wanted, bound, witness);
      return place.term === wanted.term ? 'have' : absent(bound, witness);
    case 'nothing':
      return absent(bound, witness);
  }
}

function unknown({ proven, joined }: Wanted, bound: Term, witness: Witness): Says {
  if (proven) return 'have';
  // Of two logs that may be the same up to here nothing can be said: those before come first.
  if (!decides(bound, witness) || joined === undefined) return 'unsure';
  return joined ? 'follow' : 'none';
}

function absent(bound: Term, witness: Witness): Says {
  if (decides(bound, witness)) return 'none';
  return witness.votes && witness.term > bound ? 'lacks' : 'unsure';
}

function decides(bound: Term, { leads }: Witness): boolean {
  return leads > 0 && leads >= bound;
}

/**
 * Whether a member raises its term so that it can say `lacks`: not where a leader of that term can
 * tell, which would be disturbed for nothing.
 */
export function raises(bound: Term, { term, hasLeader }: { readonly term: Term; readonly hasLeader: boolean }): boolean {
  return term < bound || (term === bound && !hasLeader);
}
