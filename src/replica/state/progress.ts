/**
 * How far this member is. Each mark has one writer:
 *
 *   - applied: what of the log the state machine holds (the applier; another version resets it).
 *   - materialized: the last op of the tree, valid or not, whose files are all here: what is read
 *     (the tree).
 *   - flushed: all data up to here is in tables, and the durable manifest says so (the manifest
 *     writer).
 *
 * flushed <= materialized, and a restart goes on from flushed: the log after it is applied again.
 * What is committed is the Raft core's to say (`driver.node.commit`); applied <= committed. How far
 * a leader knows its followers to be is another thing: `raft/progress.ts`.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex } from '../../base/ids.js';
import { Watermark } from '../../base/watermark.js';
import type { Tree } from '../../storage/tree/tree.js';

export class Progress {
  /** Moves with each entry; published after each stretch of them. */
  readonly applied: Watermark;
  readonly #tree: Tree;

  constructor(tree: Tree) {
    this.#tree = tree;
    assert(this.flushed <= this.materialized, `S1 flushed up to ${this.flushed}, of what is materialized up to ${this.materialized}`);
    this.applied = new Watermark('the applied index', tree.durable.flushed.index);
  }

  get materialized(): LogIndex {
    return this.#tree.materialized.last.index;
  }

  get flushed(): LogIndex {
    return this.#tree.durable.flushed.index;
  }
}
