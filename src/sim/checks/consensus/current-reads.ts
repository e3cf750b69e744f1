/**
 * R4: a linearizable read sees all that was known to be committed anywhere when it was asked for:
 * whoever serves it has applied as much. Stronger than what clients can tell, who must meet a write
 * through one leader and a read through another within moments.
 *
 * Stronger still: whatever was committed, a majority has answered a heartbeat that was sent after
 * the read was asked for. Without that it was luck that nobody else led by then.
 */

import type { Replica } from '../../../replica/replica.js';
import type { Committed } from './committed.js';
import type { HeartbeatRounds } from './heartbeat-rounds.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class CurrentReads {
  readonly #reporter: Reporter;
  readonly #committed: Committed;
  readonly #rounds: HeartbeatRounds | undefined;
  readonly #nodes: readonly WatchedNode[];

  constructor(reporter: Reporter, committed: Committed, rounds?: HeartbeatRounds, nodes: readonly WatchedNode[] = []) {
    this.#reporter = reporter;
    this.#committed = committed;
    this.#rounds = rounds;
    this.#nodes = nodes;
  }

  /** Listens to every read index that this replica waits for, from now on. */
  watch(node: WatchedNode, replica: Replica): void {
    const { readIndex } = replica;
    const wait = readIndex.wait.bind(readIndex);
    readIndex.wait = () => {
      const asked = this.#committed.highest;
      const askedUs = this.#reporter.nowUs;
      return wait().then(() => {
        this.served(node, replica, asked);
        this.#confirmed(node, askedUs);
      });
    };
  }

  #confirmed(node: WatchedNode, askedUs: number): void {
    if (this.#rounds === undefined || this.#rounds.confirmedSince(askedUs, this.#nodes)) return;
    const agoUs = this.#reporter.nowUs - askedUs;
    this.#reporter.broken('reads are confirmed after they are asked for', node.id,
      `R4 node ${node.id} serves a read that was asked for ${agoUs} us ago; no majority has answered a heartbeat that a leader sent since`);
  }

  /** A read may look at this replica's state, which was asked for when `asked` was committed. */
  served(node: WatchedNode, replica: Replica, asked: number): void {
    const applied = replica.applier.index;
    // A version of a peer's takes the place of its state: the read waits until that serves.
    if (applied >= asked || !replica.reads.open || node.running?.replica !== replica) return;
    this.#reporter.broken('linearizable reads are current', node.id, `R4 node ${node.id} serves a read as of ${applied}; ${asked} was committed when it was asked for`);
  }
}
