/** Who makes a majority: the one place where the rules of this room ask the configuration. */

import type { NodeId } from '../../base/ids.js';
import type { ConfState } from '../../raft/types.js';
import type { Quorum } from './decide.js';

export class Voters implements Quorum {
  readonly #of: { readonly confState: Pick<ConfState, 'voters' | 'votersOutgoing'> };

  /** The configuration is read each time that it is asked for. */
  constructor(of: { readonly confState: Pick<ConfState, 'voters' | 'votersOutgoing'> }) {
    this.#of = of;
  }

  isMajority(members: ReadonlySet<NodeId>): boolean {
    const { voters, votersOutgoing } = this.#of.confState;
    return [voters, votersOutgoing].every((half) => half.length === 0 || 2 * half.filter((id) => members.has(id)).length > half.length);
  }
}
