/** Entries as a walk: for readers of walks over what exists as objects already. */

import { encodePrefix } from '../base/key.js';
import type { KeyWalk, Space, VersionedEntry } from '../base/read-view.js';
import { VersionSlot } from '../base/version-slot.js';

export class EntriesWalk implements KeyWalk {
  readonly slot = new VersionSlot();
  readonly visible = true;
  readonly #space: Space;
  readonly #entries: Iterator<VersionedEntry, unknown>;

  constructor(space: Space, entries: Iterator<VersionedEntry, unknown>) {
    this.#space = space;
    this.#entries = entries;
  }

  next(): boolean {
    const step = this.#entries.next();
    if (step.done === true) return false;
    const prefix = encodePrefix(this.#space, step.value.key);
    this.slot.copyKey(prefix, 0, prefix.length);
    fillFrom(step.value, this.slot);
    return true;
  }
}

/** All but the key. */
export function fillFrom(entry: VersionedEntry, into: VersionSlot): void {
  const { revision, sub, tombstone, liveDelta, value } = entry;
  into.set(revision, sub, tombstone, liveDelta, value, 0, value.length);
}
