/**
 * Which configurations may have committed an entry of a damaged log. An entry is committed by the
 * configuration that its leader had applied, and that is one that an entry before it led to: so it
 * is proven not to be committed only by what is a majority in each of them (R6). They are those of
 * the flushed index, which tables tell, and those of every change of the members behind it, as far
 * as the log is whole.
 */

import { codeOf } from '../../base/errors.js';
import type { LogIndex } from '../../base/ids.js';
import type { ConfState, Entry } from '../../raft/types.js';
import { decodeMemberEntry } from '../entry/member-entry.js';
import { changeMembers, leaveJoint, type Members } from '../state/members.js';
import type { Quorum } from './decide.js';
import type { MendingLog } from './mending-log.js';
import { Voters } from './voters.js';

/** Who the members were as of an index. */
export interface MembersAsOf {
  readonly index: LogIndex;
  readonly members: Members;
}

/** Who makes a majority is not known: no number of members is one. */
export const NO_MAJORITY: Quorum = { isMajority: () => false };

type Log = Pick<MendingLog, 'base' | 'place' | 'read'>;

export class Configurations {
  readonly #log: Log;
  #members: Members | undefined;
  /** All entries up to it are part of `#members`. */
  #upTo: LogIndex;
  readonly #held: ConfState[] = [];

  /** `known` undefined: they cannot be read, and no majority proves anything. */
  constructor(known: MembersAsOf | undefined, log: Log) {
    this.#log = log;
    this.#members = known?.members;
    this.#upTo = known?.index ?? 0;
    if (known !== undefined) this.#held.push(known.members.confState);
  }

  /**
   * Whose word proves that the entry at `index` was never committed. Each entry is read once.
   */
  async before(index: LogIndex): Promise<Quorum> {
    while (this.#members !== undefined && this.#upTo < index - 1) await this.#step(this.#upTo + 1);
    if (this.#members === undefined) return NO_MAJORITY;
    const all = this.#held.map((confState) => new Voters({ confState }));
    return { isMajority: (members) => all.every((voters) => voters.isMajority(members)) };
  }

  async #step(index: LogIndex): Promise<void> {
    const entry = index > this.#log.base.index && this.#log.place(index).at === 'entry' ? await this.#log.read(index) : undefined;
    // An entry that is not here may be a change of the members.
    const members = entry && this.#members && after(this.#members, entry);
    this.#upTo = index;
    if (members === this.#members) return;
    this.#members = members;
    if (members !== undefined) this.#held.push(members.confState);
  }
}

/** Undefined: what the entry does to them is not known. */
function after(before: Members, { type, data }: Entry): Members | undefined {
  if (type === 'normal') return before;
  try {
    const entry = decodeMemberEntry(data);
    const changed = entry === undefined ? leaveJoint(before) : changeMembers(before, entry.token, entry.change, entry.base);
    return typeof changed === 'string' ? before : changed;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return undefined;
  }
}
