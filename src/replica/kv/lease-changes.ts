/**
 * What one entry changes about leases, gathered beside its changes of keys and published with them,
 * at once. In operation order: what is said of a system key last is what counts (S2). Many keys
 * that lose their leases are held as bytes, not as objects.
 */

import { assert } from '../../base/assert.js';
import { EMPTY } from '../../base/bytes.js';
import type { LeaseId, LogIndex } from '../../base/ids.js';
import { SYSTEM_SPACE, type TreeWrite } from '../../storage/base/read-view.js';
import { KeyRun } from './key-run.js';
import { attachedKey, encodeLease, leaseKey, type LeaseRecord } from './lease-keys.js';
import type { LeaseChange } from './lease-news.js';

interface SystemValue {
  readonly key: Uint8Array;
  /** Undefined: it is gone. */
  readonly value: Uint8Array | undefined;
}

export class LeaseChanges {
  readonly #items: (SystemValue | KeyRun)[] = [];
  #size = 0;
  /** How many more leases, and keys with a lease, there are. */
  leases = 0;
  attached = 0;
  /** For who keeps the time of leases. */
  readonly news: LeaseChange[] = [];

  /** Of system keys. */
  get size(): number {
    return this.#size;
  }

  grant(id: LeaseId, record: LeaseRecord): void {
    this.leases++;
    this.#set(leaseKey(id), encodeLease(record));
    this.news.push({ kind: 'granted', id, record });
  }

  /** Of one that exists. */
  update(id: LeaseId, record: LeaseRecord): void {
    this.#set(leaseKey(id), encodeLease(record));
    this.news.push({ kind: 'left', id, leftMs: record.remainingMs });
  }

  remove(id: LeaseId): void {
    this.leases--;
    this.#set(leaseKey(id), undefined);
    this.news.push({ kind: 'gone', id });
  }

  /** A key that had the lease `before` has the lease `now`; 0: none. */
  move(key: Uint8Array, before: LeaseId, now: LeaseId): void {
    if (before === now) return;
    if (before !== 0n) this.detach(before, key);
    if (now === 0n) return;
    this.attached++;
    this.#set(attachedKey(now, key), EMPTY);
  }

  detach(id: LeaseId, key: Uint8Array): void {
    this.detachAs(attachedKey(id, key));
  }

  /** The same, by the system key of the attachment. */
  detachAs(attached: Uint8Array): void {
    this.attached--;
    this.#size++;
    const last = this.#items.at(-1);
    const run = last instanceof KeyRun ? last : new KeyRun();
    if (run !== last) this.#items.push(run);
    run.add(attached);
  }

  /** As of the entry at `index`; nothing is added afterwards. */
  *writes(index: LogIndex): Generator<TreeWrite, void> {
    for (const item of this.#items) {
      if (item instanceof KeyRun) for (const key of item) yield writeOf(index, key, undefined);
      else yield writeOf(index, item.key, item.value);
    }
  }

  #set(key: Uint8Array, value: Uint8Array | undefined): void {
    assert(key.length > 0, 'S2 a system key has a name');
    this.#size++;
    this.#items.push({ key, value });
  }
}

function writeOf(index: LogIndex, key: Uint8Array, value: Uint8Array | undefined): TreeWrite {
  return { space: SYSTEM_SPACE, key, revision: index, sub: 0, tombstone: value === undefined, liveDelta: 0, value: value ?? EMPTY };
}
