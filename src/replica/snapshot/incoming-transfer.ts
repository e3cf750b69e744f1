/**
 * One version on its way to this member: a snapshot that Raft offered, or a version that this
 * member asked a peer for.
 *
 *   fetching    what is lacking of its tables is fetched
 *   arrived     all of it is here and synced: whoever wanted it puts it in place
 *   cancelled   a newer one took its place, or the member stops: nothing of it is counted on
 *   over        it was put in place, or could not be received
 *
 * What was cancelled stays so, whatever its last step still brings.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex, NodeId, Term } from '../../base/ids.js';

type Stage = 'fetching' | 'arrived' | 'cancelled' | 'over';

const MOVES: Readonly<Record<Stage, readonly Stage[]>> = {
  fetching: ['arrived', 'cancelled', 'over'],
  arrived: ['cancelled', 'over'],
  cancelled: [],
  over: [],
};

/** How far it is: `tables` of `totalTables` are here, whether they had to come or were here. */
export interface TransferProgress {
  readonly from: NodeId;
  readonly index: LogIndex;
  readonly tables: number;
  readonly totalTables: number;
  readonly bytes: number;
  /** 0: not known yet. */
  readonly totalBytes: number;
}

export class IncomingTransfer {
  readonly from: NodeId;
  /** Of the message; 0: this member asked for the version. */
  readonly term: Term;
  /** The flushed index of the version. */
  readonly index: LogIndex;
  /** Of this run of the member: in the names of its files, so that no two transfers share one. */
  readonly number: number;
  #stage: Stage = 'fetching';
  /** These only grow, up to the totals. */
  #tables = 0;
  #bytes = 0;
  #totalTables = 0;
  #totalBytes = 0;

  constructor(from: NodeId, term: Term, index: LogIndex, number: number) {
    assert(number > 0 && index >= 0 && term >= 0, `S5 transfer ${number} of the version at ${index} has a number`);
    this.from = from;
    this.term = term;
    this.index = index;
    this.number = number;
  }

  /** Looked at between the steps of a fetch. */
  get cancelled(): boolean {
    return this.#stage === 'cancelled';
  }

  /** Nothing more comes of it. */
  get ended(): boolean {
    return this.#stage === 'cancelled' || this.#stage === 'over';
  }

  /** What there is to have. */
  begins(tables: number, bytes: number): void {
    this.#totalTables = tables;
    this.#totalBytes = bytes;
  }

  /** One more table is here, of so many bytes. */
  has(bytes: number): void {
    this.#tables++;
    this.#bytes += bytes;
    assert(this.#tables <= this.#totalTables && this.#bytes <= this.#totalBytes, `S5 transfer ${this.number} has ${this.#tables} of ${this.#totalTables} tables`);
  }

  get progress(): TransferProgress {
    const { from, index } = this;
    return { from, index, tables: this.#tables, totalTables: this.#totalTables, bytes: this.#bytes, totalBytes: this.#totalBytes };
  }

  to(next: Stage): void {
    assert(MOVES[this.#stage].includes(next), `S5 transfer ${this.number} is ${this.#stage}, and does not become ${next}`);
    this.#stage = next;
  }

  /** Is an offer of `index` in `term` no news beside this one? */
  covers(term: Term, index: LogIndex): boolean {
    return this.index >= index && this.term >= term;
  }
}
