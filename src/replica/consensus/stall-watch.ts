/**
 * A leader whose disk stalls could go on for ever with what the others write: it commits, but
 * applies and answers nothing. After an election time-out it hands over to the follower that is
 * furthest ahead, which needs none of its disk and no time-out of the others; if that does not come
 * about within half of another one, it steps down.
 */

import type { EventSink } from '../../base/events.js';
import type { NodeId } from '../../base/ids.js';
import type { RaftNode } from '../../raft/node.js';

type WatchedCore = Pick<RaftNode, 'id' | 'isLeader' | 'term' | 'status' | 'transferLeader' | 'stepDown'>;

export class StallWatch {
  readonly #events: EventSink;
  readonly #electionMs: number;
  /** Somebody was asked to lead because of the present stall. */
  #asked = false;

  constructor(events: EventSink, electionMs: number) {
    this.#events = events;
    this.#electionMs = electionMs;
  }

  /** With each tick. `stalledMs`: how long the write in flight has taken. */
  look(node: WatchedCore, stalledMs: number): void {
    if (!node.isLeader || stalledMs < this.#electionMs) {
      this.#asked = false;
      return;
    }
    if (!this.#asked) {
      this.#asked = true;
      const why = `its own disk has been writing for ${Math.round(stalledMs)} ms`;
      this.#events.emit({ type: 'leader-lost', term: node.term, why });
      const to = furthest(node);
      if (to !== undefined) return node.transferLeader(to);
    } else if (stalledMs < 1.5 * this.#electionMs) {
      return;
    }
    node.stepDown();
  }
}

/** Of the voters that are heard from and follow the log. */
function furthest(node: WatchedCore): NodeId | undefined {
  let best: { readonly id: NodeId; readonly match: number } | undefined;
  for (const [id, { match, state, recentActive, isLearner }] of node.status().progress ?? []) {
    if (id === node.id || isLearner || !recentActive || state !== 'replicate') continue;
    if (best === undefined || match > best.match) best = { id, match };
  }
  return best?.id;
}
