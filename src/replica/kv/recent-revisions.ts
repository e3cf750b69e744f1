/**
 * The newest revisions with what they changed, for watches: written as each is published, read by
 * whoever watches, in order and without a gap. It is a cache of the tree and no more: bounded, and
 * who comes too late for it reads the tree. One for a member's life: another version in the place
 * of the state does not end it, and a revision that is published again, because the log is applied
 * again, is the same (S2).
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Revision } from '../../base/ids.js';
import type { TreeWrite } from '../../storage/base/read-view.js';
import { KeyChange } from './key-change.js';

const BYTES_MAX = 8 * MiB;
/** Besides its changes. */
const REVISION_BYTES = 64;
const COMPACT_AT = 1_024;

export interface RecentRevision {
  readonly revision: Revision;
  /** In their order; undefined: there were so many that they are read from the tree. */
  readonly changes: readonly KeyChange[] | undefined;
  /** Of memory, about. */
  readonly bytes: number;
}

export class RecentRevisions {
  readonly #bytesMax: number;
  /** All from {@link first} to {@link newest}, after #head that have left. */
  #items: (RecentRevision | undefined)[] = [];
  #head = 0;
  #bytes = 0;
  #newest: Revision = 1;
  #kept = false;
  readonly #subscribers: (() => void)[] = [];

  constructor(bytesMax = BYTES_MAX) {
    this.#bytesMax = bytesMax;
  }

  /** Published last. Never goes back. */
  get newest(): Revision {
    return this.#newest;
  }

  /** The oldest that is here; `newest` + 1: none is. */
  get first(): Revision {
    return this.#newest + 1 - (this.#items.length - this.#head);
  }

  /** Of memory, about. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Undefined: it is not here, or not yet. */
  at(revision: Revision): RecentRevision | undefined {
    return revision < this.first ? undefined : this.#items[this.#head + revision - this.first];
  }

  /** Whether anybody reads: else nothing is kept. */
  keep(kept: boolean): void {
    this.#kept = kept;
    if (!kept) this.#clear();
  }

  /** Runs at once, within apply, and must not throw. */
  subscribe(subscriber: () => void): void {
    this.#subscribers.push(subscriber);
  }

  /** What changed at the next revision; undefined: more than is held in memory. */
  published(revision: Revision, writes: readonly TreeWrite[] | undefined): void {
    if (revision <= this.#newest) return;
    assert(revision === this.#newest + 1, `S2 revision ${revision} is published after ${this.#newest}`);
    this.#newest = revision;
    if (!this.#kept) return;
    const changes = writes?.map((write) => KeyChange.of(write));
    const bytes = (changes ?? []).reduce((sum, change) => sum + change.bytes, REVISION_BYTES);
    this.#items.push({ revision, changes, bytes });
    this.#bytes += bytes;
    while (this.#bytes > this.#bytesMax) this.#drop();
    assert(this.first <= this.#newest + 1, 'S2 what is recent has no gap');
    this.#tell();
  }

  /** Another state is in place, as of `revision`: what lies between is in the tree alone. */
  loaded(revision: Revision): void {
    if (revision <= this.#newest) return;
    this.#newest = revision;
    this.#clear();
    this.#tell();
  }

  #drop(): void {
    this.#bytes -= this.#items[this.#head]?.bytes ?? 0;
    this.#items[this.#head++] = undefined;
    if (this.#head < COMPACT_AT || this.#head * 2 < this.#items.length) return;
    this.#items = this.#items.slice(this.#head);
    this.#head = 0;
  }

  #clear(): void {
    this.#items = [];
    this.#head = 0;
    this.#bytes = 0;
  }

  #tell(): void {
    for (const subscriber of this.#subscribers) subscriber();
  }
}
