/** What a run of the model of log recovery may be asked for, and what it must never find. */

import type { NodeId } from '../../../base/ids.js';
import type { Quorum } from '../decide.js';

export interface ModelOptions {
  readonly nodes: number;
  readonly entries: number;
  /** The highest term that an election may reach. */
  readonly terms: number;
  readonly crashes: number;
  /** Terms of bad entries may be unknown, too. */
  readonly unknownTerms: boolean;
  /** A planted mistake: "do not have" counts from one voter less on. */
  readonly quorumLowered?: boolean;
  /** A planted mistake: entries that are gone without a trace were never there. */
  readonly openTakenForEnd?: boolean;
  /** A planted mistake: "do not have" needs a term above that of the entry alone. */
  readonly boundOfEntry?: boolean;
}

/** What must never be. */
export class Violation extends Error {}

export class Lowered implements Quorum {
  readonly #voters: number;

  constructor(voters: number) {
    this.#voters = voters;
  }

  isMajority(members: ReadonlySet<NodeId>): boolean {
    return members.size >= Math.floor(this.#voters / 2);
  }
}

/** Of so many of the nodes from 0 on, without one of them. */
export function subsets(nodes: number, size: number, without: number): number[][] {
  const out: number[][] = [];
  for (let set = 0; set < 1 << nodes; set++) {
    const members = Array.from({ length: nodes }, (_, j) => j).filter((j) => j !== without && ((set >> j) & 1) === 1);
    if (members.length === size && ((set >> without) & 1) === 0) out.push(members);
  }
  return out;
}
