/**
 * What the other members have promised in messages that came here: the newest term that each had
 * made durable, the last entry that it acknowledged in it, and whether it voted for this member in
 * it. R2 all of that was on its disk before it was sent, so a member whose files say less has an
 * older copy of them, and must not promise anything again. It outlives this member's own restarts
 * by `promises-store.ts`, which may hold what was heard a while ago.
 *
 * No member that kept its files is ever found to have forgotten something, whether what is
 * remembered of it is new, or old, or this member itself has lost since what it then had:
 *
 *   - What is remembered was true at some time, and of it everything only grows within a term. So
 *     less than all, and what was true earlier, asks for less: never for something else.
 *   - An acknowledgement counts in its term alone. It went to the leader of that term, whose log
 *     had the entry and lost nothing while it led; nobody else gives entries in that term. So as
 *     long as a member is in that term its log reaches as far, though the leader itself may have
 *     lost the entry since (it may send what its own disk does not hold yet).
 *   - A later leader may take an acknowledged entry away, if it was not committed. The member is in
 *     that leader's term before it cuts anything, durably, and then the acknowledgement asks for
 *     nothing any more (`write-queue.ts`). The same holds for what is cut off a damaged log: its
 *     term is durably above all in which it may have acknowledged it, or that of a leader which has
 *     all that was acknowledged to it (`log-recovery/decide.ts`).
 *   - What was applied was committed and durable there, and is never cut; nor does the number of
 *     its starts go back.
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

/** All that is remembered of a member. */
export interface Heard extends Promised, Told {
  /** The newest life of it that was met; 0: none. */
  readonly incarnation: number;
}

/** What a member's own files say. */
export interface Kept {
  readonly term: Term;
  readonly vote: NodeId;
  readonly lastIndex: LogIndex;
}

const NOTHING: Heard = { term: 0, acknowledged: 0, votedForMe: false, applied: 0, incarnation: 0 };

/** Term and what it counts in; all but that only grows. */
type Noted = { -readonly [K in keyof Heard]: Heard[K] };

export class PromisesHeard {
  readonly #heard = new Map<NodeId, Noted>();
  #changes = 0;

  of(member: NodeId): Heard {
    return this.#heard.get(member) ?? NOTHING;
  }

  all(): ReadonlyMap<NodeId, Heard> {
    return this.#heard;
  }

  /** Grows whenever something was heard that was not known. */
  get changes(): number {
    return this.#changes;
  }

  /** What was remembered in an earlier life of this member; before anything is heard in this. */
  recall(member: NodeId, heard: Heard): void {
    assert(!this.#heard.has(member), `R5 what is remembered of member ${member} is recalled first`);
    this.#heard.set(member, { ...heard });
  }

  /** It is a member no more. */
  forget(member: NodeId): void {
    if (this.#heard.delete(member)) this.#changes++;
  }

  note({ type, from, term, reject, index }: Message): void {
    // A pre-vote speaks of a term that nobody is in yet; what is passed on for others is in none.
    if (term === 0 || type === 'MsgPreVote' || type === 'MsgPreVoteResp' || type === 'MsgProp' || type === 'MsgTransferLeader' || type === 'MsgReadIndex') return;
    const heard = this.#noted(from);
    if (term < heard.term) return;
    if (term > heard.term) {
      heard.term = term;
      heard.acknowledged = 0;
      heard.votedForMe = false;
      this.#changes++;
    }
    assert(heard.term === term, `R5 what is heard of term ${term} is noted in it`);
    if (reject) return;
    if (type === 'MsgAppResp' && index > heard.acknowledged) {
      heard.acknowledged = index;
      this.#changes++;
    } else if (type === 'MsgVoteResp' && !heard.votedForMe) {
      heard.votedForMe = true;
      this.#changes++;
    }
  }

  /** It says so itself, and so has lived. */
  noteApplied(member: NodeId, applied: LogIndex): void {
    const heard = this.#noted(member);
    if (applied > heard.applied) {
      heard.applied = applied;
      this.#changes++;
    }
    this.noteLife(member, 1);
  }

  noteLife(member: NodeId, incarnation: number): void {
    if (incarnation <= this.of(member).incarnation) return;
    this.#noted(member).incarnation = incarnation;
    this.#changes++;
  }

  #noted(member: NodeId): Noted {
    let heard = this.#heard.get(member);
    if (heard === undefined) this.#heard.set(member, (heard = { ...NOTHING }));
    return heard;
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
