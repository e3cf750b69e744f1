/**
 * A leader whose disk stalls could go on for ever with what the others write: it commits, but
 * applies and answers nothing. After an election time-out it hands over to the follower that is
 * furthest ahead, which needs none of its disk and no time-out of the others; if that does not come
 * about within half of another one, it steps down.
 *
 * One whose disk has become slow (`disk-pace.ts`) hands over, too, and leads on if nobody takes
 * over. Not again for a minute or so: where each one is slow as soon as it leads, the lead must not
 * go round.
 */

import type { Clock, Env } from '../../base/env.js';
import type { EventSink } from '../../base/events.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import type { RaftNode } from '../../raft/node.js';
import type { Entry } from '../../raft/types.js';
import { DiskPace } from './disk-pace.js';

type WatchedCore = Pick<RaftNode, 'id' | 'isLeader' | 'term' | 'commit' | 'status' | 'transferLeader' | 'stepDown'>;

/** A leader that is slow hands over once in so many election time-outs. */
const AGAIN_ELECTIONS = 60;

interface WatchOptions {
  readonly electionMs: number;
  readonly heartbeatMs: number;
}

export class StallWatch {
  readonly #events: EventSink;
  readonly #electionMs: number;
  readonly #clock: Pick<Clock, 'now'>;
  readonly #pace: DiskPace;
  #slowAt = -Infinity;
  /** When each member was last known to be heard from, as the leader of now. */
  readonly #heardAt = new Map<NodeId, number>();
  /** Somebody was asked to lead because of the present stall. */
  #asked = false;

  constructor({ events, clock }: Pick<Env, 'events' | 'clock'>, { electionMs, heartbeatMs }: WatchOptions) {
    this.#events = events;
    this.#electionMs = electionMs;
    this.#clock = clock;
    this.#pace = new DiskPace({ electionMs, worthMs: heartbeatMs / 4 });
  }

  /** What a core asks to be written is on its way. */
  asked(node: WatchedCore, entries: readonly Entry[]): void {
    if (!node.isLeader) return;
    const now = this.#clock.now();
    this.#pace.committed(node.commit, now);
    const last = entries.at(-1);
    if (last !== undefined) this.#pace.sent(node.term, last.index, now);
  }

  /** The log here is durable up to there. */
  written(durable: LogIndex): void {
    this.#pace.written(durable, this.#clock.now());
  }

  /** With each tick. `stalledMs`: how long the write in flight has taken. */
  look(node: WatchedCore, stalledMs: number): void {
    this.#noteHeard(node);
    if (!node.isLeader || stalledMs < this.#electionMs) {
      this.#asked = false;
      if (node.isLeader) this.#lookForSlow(node);
      return;
    }
    if (!this.#asked) {
      this.#asked = true;
      const why = `its own disk has been writing for ${Math.round(stalledMs)} ms`;
      this.#events.emit({ type: 'leader-lost', term: node.term, why });
      const to = this.#furthest(node);
      if (to !== undefined) return node.transferLeader(to);
    } else if (stalledMs < 1.5 * this.#electionMs) {
      return;
    }
    node.stepDown();
  }

  #lookForSlow(node: WatchedCore): void {
    const now = this.#clock.now();
    const slow = this.#pace.judge(now);
    if (slow === undefined || now - this.#slowAt < AGAIN_ELECTIONS * this.#electionMs) return;
    const to = this.#furthest(node);
    if (to === undefined) return;
    this.#slowAt = now;
    const [own, others] = [slow.ownMs, slow.othersMs].map((ms) => Math.round(ms));
    this.#events.emit({ type: 'leader-lost', term: node.term, why: `the disk here is slow: it takes ${own} ms for what the others have after ${others} ms` });
    node.transferLeader(to);
  }

  /** The core forgets it once in an election time-out, to hear of it anew. */
  #noteHeard(node: WatchedCore): void {
    if (!node.isLeader) return this.#heardAt.clear();
    const now = this.#clock.now();
    for (const [id, { recentActive }] of node.status().progress ?? []) if (recentActive) this.#heardAt.set(id, now);
  }

  /** Of the voters that are heard from and follow the log. */
  #furthest(node: WatchedCore): NodeId | undefined {
    const since = this.#clock.now() - this.#electionMs;
    let best: { readonly id: NodeId; readonly match: number } | undefined;
    for (const [id, { match, state, isLearner }] of node.status().progress ?? []) {
      if (id === node.id || isLearner || state !== 'replicate' || (this.#heardAt.get(id) ?? -Infinity) < since) continue;
      if (best === undefined || match > best.match) best = { id, match };
    }
    return best?.id;
  }
}
