/**
 * A state of the model as bytes: for each node mode, term, bound, what it heard, which entries are
 * bad and which of them of unknown term, its entries by their terms, and, of a leader, how far it
 * counts each node; then what is committed, and how many crashes are left.
 */

export type State = Uint8Array;

export const FOLLOWER = 1;
export const LEADER = 2;
export const RECOVERING = 3;
/** As RECOVERING, and where its log ended is not known. */
export const OPEN = 0;

export const MODE = 0;
export const TERM = 1;
export const BOUND = 2;
/** Peers, as bits, that said `lacks` of the first hole. */
export const HEARD = 3;
/** Entries, as bits. */
export const BAD = 4;
export const UNKNOWN = 5;
export const LOG = 6;

export interface Sizes {
  readonly nodes: number;
  readonly entries: number;
  /** The highest term that an election may reach. */
  readonly terms: number;
}
