/**
 * The log of a member as others may ask about it, in whatever state the member is. R5 what is a
 * hole, or may be one, is never said to be nothing.
 */

import type { LogIndex, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import type { LogPoint } from '../log/log-point.js';
import type { Place, Witness } from './says.js';

export interface PeerLog {
  /** What comes before its first entry. */
  readonly base: LogPoint;
  place(index: LogIndex): Place;
  /** 0: not known, or not there. */
  term(index: LogIndex): Term;
  /** Undefined: its bytes are bad after all. */
  read(index: LogIndex): Promise<Entry | undefined>;
  witness(): Witness;
  /**
   * Somebody cannot go on unless this member's term is above `bound`. Resolves when it is, or at
   * once where another one can help.
   */
  raise(bound: Term): Promise<void>;
}
