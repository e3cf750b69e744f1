/**
 * The changes of an entry become visible: all of them, at the very end and at once, as the next
 * revision. What is small is written in one step; what is large goes into the tree in slices, where
 * nobody sees it, and is then published. Who watches is told of each revision here, at the moment
 * from which reads see it.
 */

import { assert } from '../../base/assert.js';
import type { LogIndex, Revision } from '../../base/ids.js';
import type { ReadableTree, TreeWrite } from '../../storage/base/read-view.js';
import type { LeaseChanges } from './lease-changes.js';
import type { Changes } from './overlay.js';
import type { Pace } from './pace.js';
import type { RecentRevisions } from './recent-revisions.js';

export class Publication {
  readonly #tree: ReadableTree;
  readonly #sliceKeys: number;
  readonly #recent: RecentRevisions;
  /** Only grows, by one with each entry that changes a key. */
  #revision: Revision = 1;
  /** Changes of an entry are in the tree, and not all. */
  #staging = false;

  constructor(tree: ReadableTree, sliceKeys: number, recent: RecentRevisions) {
    this.#tree = tree;
    this.#sliceKeys = sliceKeys;
    this.#recent = recent;
  }

  /** Of what reads see. */
  get revision(): Revision {
    return this.#revision;
  }

  /** The entry at hand is not given up any more. */
  get staging(): boolean {
    return this.#staging;
  }

  /** The state at hand is another one. */
  load(revision: Revision): void {
    assert(!this.#staging, 'S2 nothing is published while state is loaded');
    this.#revision = revision;
    this.#recent.loaded(revision);
  }

  /** What is large goes in slices; readers see none of it before the end. */
  *sliced(changes: Changes, pace: Pace, leases: LeaseChanges, index: LogIndex): Generator<void, void> {
    const few = changes.few(this.#sliceKeys);
    if (few !== undefined && leases.size <= this.#sliceKeys) return this.now(few, leases, index);
    this.#staging = true;
    for (const writes of [changes, leases.writes(index)]) {
      for (const write of writes) {
        this.#tree.stage(write);
        if (pace.step(write.value.length)) yield;
      }
    }
    this.#tree.publish();
    this.#staging = false;
    if (changes.size > 0) this.#moved(changes.revision, few);
  }

  /** Changes of leases alone make no revision. */
  now(writes: readonly TreeWrite[], leases?: LeaseChanges, index = 0): void {
    const [first] = writes;
    const system = leases === undefined || leases.size === 0 ? undefined : [...leases.writes(index)];
    assert(first === undefined || writes.at(-1)?.sub === writes.length - 1, 'S2 the changes of an entry are numbered from 0');
    if (system !== undefined) this.#tree.write(first === undefined ? system : [...writes, ...system]);
    else if (first !== undefined) this.#tree.write(writes);
    if (first !== undefined) this.#moved(first.revision, writes);
  }

  #moved(revision: Revision, writes: readonly TreeWrite[] | undefined): void {
    assert(revision === this.#revision + 1, 'S2 an entry has the next revision');
    this.#revision = revision;
    this.#recent.published(revision, writes);
  }
}
