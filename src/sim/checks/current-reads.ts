/**
 * R4: a linearizable read sees all that was known to be committed anywhere when it was asked for: whoever serves it has applied as much.
 * Stronger than what clients can tell, who must meet a write through one leader and a read through another within moments.
 */

import type { Replica } from '../../replica/replica.js';
import type { Committed } from './committed.js';
import type { Reporter } from './reporter.js';
import type { WatchedNode } from './watched.js';

export class CurrentReads {
  readonly #reporter: Reporter;
  readonly #committed: Committed;

  constructor(reporter: Reporter, committed: Committed) {
    this.#reporter = reporter;
    this.#committed = committed;
  }

  /** Listens to every read index that this replica waits for, from now on. */
  watch(node: WatchedNode, replica: Replica): void {
    const { readIndex } = replica;
    const wait = readIndex.wait.bind(readIndex);
    readIndex.wait = () => {
      const asked = this.#committed.highest;
      return wait().then(() => this.served(node, replica, asked));
    };
  }

  /** A read may look at this replica's state, which was asked for when `asked` was committed. */
  served(node: WatchedNode, replica: Replica, asked: number): void {
    const applied = replica.applier.index;
    // A version of a peer's takes the place of its state: the read waits until that serves.
    if (applied >= asked || !replica.isServable || node.running?.replica !== replica) return;
    this.#reporter.broken('linearizable reads are current', node.id, `R4 node ${node.id} serves a read as of ${applied}; ${asked} was committed when it was asked for`);
  }
}
