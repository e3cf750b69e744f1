/**
 * What the other members have promised in messages that came here: the newest term that each had
 * made durable, the last entry that it acknowledged in it, and whether it voted for this member in
 * it. R2 all of that was on its disk before it was sent, so a member whose files say less has an
 * older copy of them, and must not promise anything again. Kept in memory only: a member that
 * restarts has to hear of it again.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex, NodeId, Term } from '../../base/ids.js';
import type { Message } from '../../raft/types.js';

export interface Promised {
  readonly term: Term;
  /** 0: nothing was acknowledged in this term. */
  readonly acknowledged: LogIndex;
  /** Its vote in this term was for the member that tells. */
  readonly votedForMe: boolean;
}

/** What else it told. */
export interface Told {
  /** Up to here it had applied the log, whatever term that was in: durable there, and committed. */
  readonly applied: LogIndex;
}

/** What a member's own files say. */
export interface Kept {
  readonly term: Term;
  readonly vote: NodeId;
  readonly lastIndex: LogIndex;
}

export const NOTHING_PROMISED: Promised = { term: 0, acknowledged: 0, votedForMe: false };

interface Heard {
  /** Only grows. */
  term: Term;
  /** Only grows within a term. */
  acknowledged: LogIndex;
  votedForMe: boolean;
}

export class PromisesHeard {
  readonly #heard = new Map<NodeId, Heard>();

  of(member: NodeId): Promised {
    return this.#heard.get(member) ?? NOTHING_PROMISED;
  }

  note({ type, from, term, reject, index }: Message): void {
    // A pre-vote speaks of a term that nobody is in yet; what is passed on for others is in none.
    if (term === 0 || type === 'MsgPreVote' || type === 'MsgPreVoteResp' || type === 'MsgProp' || type === 'MsgTransferLeader' || type === 'MsgReadIndex') return;
    let heard = this.#heard.get(from);
    if (heard === undefined) this.#heard.set(from, (heard = { ...NOTHING_PROMISED }));
    if (term < heard.term) return;
    if (term > heard.term) {
      heard.term = term;
      heard.acknowledged = 0;
      heard.votedForMe = false;
    }
    assert(heard.term === term, `R5 what is heard of term ${term} is noted in it`);
    if (reject) return;
    if (type === 'MsgAppResp' && index > heard.acknowledged) heard.acknowledged = index;
    else if (type === 'MsgVoteResp') heard.votedForMe = true;
  }
}

/**
 * What of the promise is not in those files; undefined: all of it is. A later term may have cut off
 * what an earlier one acknowledged, but nothing that was applied.
 */
export function forgotten(promised: Promised & Pick<Told, 'applied'>, kept: Kept, to: NodeId): string | undefined {
  if (promised.applied > kept.lastIndex) return `was told that entry ${promised.applied} is applied, and the log ends at ${kept.lastIndex}`;
  if (promised.term < kept.term) return undefined;
  if (promised.term > kept.term) return `was in term ${promised.term} with it, and the files end in term ${kept.term}`;
  if (promised.votedForMe && kept.vote !== to) return `had its vote in term ${promised.term}, and the files hold none for it`;
  if (promised.acknowledged > kept.lastIndex) {
    return `was told in term ${promised.term} that entry ${promised.acknowledged} is durable, and the log ends at ${kept.lastIndex}`;
  }
  return undefined;
}
