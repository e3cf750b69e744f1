/**
 * How long the cluster had a leader that could let leases end: it leads in its term, goes on with
 * its log, and applies it. Looked at four times a second; what lies between two looks that found
 * the same leader at work counts. A paused leader, one that is cut off or waits for a disk or a
 * block, and the time between leaders do not.
 */

import type { SimNode } from '../../cluster/sim-node.js';

/** A moment, by what has gone before it. */
export interface Served {
  readonly us: number;
  /** Changes of leader. */
  readonly changes: number;
}

export class ServingTime {
  readonly #nodes: readonly SimNode[];
  #us = 0;
  #changes = 0;
  #leader = '';
  #lookedUs = 0;
  #wasAtWork = false;
  #applied = 0;

  constructor(nodes: readonly SimNode[]) {
    this.#nodes = nodes;
  }

  get now(): Served {
    return { us: this.#us, changes: this.#changes };
  }

  look(nowUs: number): void {
    const node = this.#leading();
    const replica = node?.running?.replica;
    const leader = replica === undefined ? '' : `${node?.id} ${node?.lives} ${replica.leadership.term}`;
    const isSame = leader !== '' && leader === this.#leader;
    if (leader !== '' && !isSame) {
      this.#leader = leader;
      this.#changes++;
    }
    const applied = replica?.applier.index ?? 0;
    const goesOn = replica !== undefined && (applied > this.#applied || applied === replica.driver.node.lastIndex);
    const isAtWork = replica !== undefined && goesOn && replica.reads.open && replica.applier.blockedBy === undefined;
    const isAwake = (node?.process?.stalledUntilUs ?? Infinity) <= nowUs + 50_000;
    if (isSame && isAtWork && isAwake && this.#wasAtWork) this.#us += nowUs - this.#lookedUs;
    this.#wasAtWork = isAtWork && isAwake;
    this.#applied = applied;
    this.#lookedUs = nowUs;
  }

  /** One that was deposed may not know it yet. */
  #leading(): SimNode | undefined {
    let found: SimNode | undefined;
    let term = -1;
    for (const node of this.#nodes) {
      const leadership = node.state === 'up' ? node.running?.replica.leadership : undefined;
      if (leadership?.mayShapeTree !== true || leadership.term <= term) continue;
      found = node;
      term = leadership.term;
    }
    return found;
  }
}
