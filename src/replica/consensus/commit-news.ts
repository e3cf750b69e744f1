/**
 * When a leader tells of a commit index that nobody waits for: with the next entries, and without
 * any after a few milliseconds. So a put after another costs each follower one message and not two,
 * and who reads at a follower, or watches there, is behind by no more than that.
 */

import type { Clock, Timer } from '../../base/env.js';
import type { LogIndex } from '../../base/ids.js';
import type { RaftNode } from '../../raft/node.js';

/** A commit index leaves by itself when it is as old as this, and before it is twice as old. */
const NEWS_MS = 2;

/** Whose turn tells. */
export interface NewsOwner {
  schedule(): void;
}

export class CommitNews {
  readonly #clock: Clock;
  readonly #owner: NewsOwner;
  #timer: Timer | undefined;
  /** Who was told of less is told now. */
  #due: LogIndex = 0;

  constructor(clock: Clock, owner: NewsOwner) {
    this.#clock = clock;
    this.#owner = owner;
  }

  /** What is due. */
  tell(node: RaftNode): void {
    if (this.#due === 0) return;
    node.tellCommit(this.#due);
    this.#due = 0;
  }

  /** To be called whenever something may have been committed. */
  arm(node: RaftNode): void {
    if (this.#timer !== undefined) return;
    const { untoldCommit } = node;
    if (untoldCommit === undefined) return;
    this.#timer = this.#clock.setTimer(NEWS_MS, () => {
      this.#timer = undefined;
      this.#due = untoldCommit;
      this.#owner.schedule();
    });
  }

  stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#due = 0;
  }
}
