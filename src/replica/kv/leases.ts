/**
 * etcd's leases as replicated state: which there are, and which keys go with them. S2 What an entry
 * does to them follows from the entries before it, and from no clock: when a lease ends is decided
 * by the leader (`replica/lease/`), and done by an entry. They lie in the tree (`lease-keys.ts`);
 * only their numbers are kept here.
 *
 * A key has the lease that its newest version names, and is attached to it: a put moves it to the
 * lease that it names, or to none; a delete detaches it. Revoking a lease deletes its keys in one
 * revision, in the order of the keys.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { LeaseId } from '../../base/ids.js';
import { SYSTEM_SPACE, USER_SPACE, type ReadView, type ReadableTree } from '../../storage/base/read-view.js';
import { VersionSlot } from '../../storage/base/version-slot.js';
import { EtcdError } from '../../api/etcd-error.js';
import { KeyRun } from './key-run.js';
import { LeaseChanges } from './lease-changes.js';
import { ALL_LEASES, attachedTo, decodeLease, keyIn, leaseKey, leaseOf, type LeaseRecord } from './lease-keys.js';
import { LeaseNews } from './lease-news.js';
import type { LeaseSet } from './operations.js';
import type { Overlay } from './overlay.js';
import type { Pace } from './pace.js';
import { ResponseBudget, tooLarge } from './response-budget.js';
import { RecordHead, readRecordHead } from './value-record.js';
import type { LeaseCheckpoint, LeaseCommand } from './command.js';

/** What needs no slices. */
export type LeaseUpdate = Extract<LeaseCommand, { kind: 'lease-grant' | 'lease-checkpoint' }>;

const NEWEST = Number.MAX_SAFE_INTEGER;
const FORMAT = 1;

const slot = new VersionSlot();
const head = new RecordHead();

export class Leases implements LeaseSet {
  readonly #tree: Pick<ReadableTree, 'current'>;
  readonly #news: LeaseNews;
  #count = 0;
  #attached = 0;

  constructor(tree: Pick<ReadableTree, 'current'>, news: LeaseNews = new LeaseNews()) {
    this.#tree = tree;
    this.#news = news;
  }

  /** Leases that there are. */
  get count(): number {
    return this.#count;
  }

  /** Keys that have one. */
  get attached(): number {
    return this.#attached;
  }

  /** How many system keys that are, besides tombstones. */
  get systemKeys(): number {
    return this.#count + this.#attached;
  }

  /** Throws StorageError. */
  has(id: LeaseId): boolean {
    return this.#tree.current.find(SYSTEM_SPACE, leaseKey(id), NEWEST, slot) && !slot.tombstone;
  }

  /** Throws EtcdError LEASE_EXISTS, StorageError. */
  changesOf(command: LeaseUpdate): LeaseChanges {
    const changes = new LeaseChanges();
    if (command.kind === 'lease-checkpoint') this.#checkpoint(command.request.checkpoints, changes);
    else {
      const { id, ttl } = command.request;
      if (this.has(id)) throw new EtcdError('LEASE_EXISTS');
      changes.grant(id, { ttl, remainingMs: 0 });
    }
    return changes;
  }

  /** Whose lease is gone is passed over. */
  #checkpoint(checkpoints: readonly LeaseCheckpoint[], changes: LeaseChanges): void {
    for (const { id, remainingMs } of checkpoints) {
      const record = leaseIn(this.#tree.current, id);
      if (record === undefined || remainingMs > record.ttl * 1000) continue;
      changes.update(id, { ttl: record.ttl, remainingMs });
    }
  }

  /** The changes of the entry at hand are published. */
  published(changes: LeaseChanges): void {
    this.#count += changes.leases;
    this.#attached += changes.attached;
    assert(this.#count >= 0, 'S2 no more leases go than there were');
    for (const change of changes.news) this.#news.tell(change);
  }

  encode(): Uint8Array {
    return new ByteWriter(24).u8(FORMAT).varint(this.#count).varint(Math.max(0, this.#attached)).finish();
  }

  /** As {@link encode} gave it; undefined: there are none. Throws CodecError. */
  load(bytes: Uint8Array | undefined): void {
    this.#news.tell({ kind: 'reset' });
    if (bytes === undefined) {
      this.#count = this.#attached = 0;
      return;
    }
    const input = new ByteReader(bytes, 'numbers of leases');
    const format = input.u8();
    if (format !== FORMAT) throw new CodecError(`numbers of leases: format ${format} is not supported`);
    const [count, attached] = [input.varint(), input.varint()];
    input.end();
    this.#count = count;
    this.#attached = attached;
  }
}

/**
 * Deletes all keys of a lease, and the lease. Throws EtcdError LEASE_NOT_FOUND; StorageError:
 * nothing but the overlay was changed.
 */
export function* revoke(overlay: Overlay, leases: LeaseSet, id: LeaseId, pace: Pace): Generator<void, void> {
  if (!leases.has(id)) throw new EtcdError('LEASE_NOT_FOUND');
  const { base } = overlay;
  const keys = new KeyRun();
  // Tombstones are looked at too: a long stretch of them is work like any other.
  for (const { key, tombstone } of base.scan(SYSTEM_SPACE, { ...attachedTo(id), atRevision: NEWEST, tombstones: true })) {
    if (!tombstone) {
      const name = keyIn(key);
      if (hasLease(base, name, id)) keys.add(name);
      overlay.leases.detachAs(key);
    }
    if (pace.step(key.length)) yield;
  }
  overlay.deleteAtLast(keys);
  overlay.leases.remove(id);
}

/** The lease as the log has it; undefined: there is none. Throws StorageError. */
export function leaseIn(view: ReadView, id: LeaseId): LeaseRecord | undefined {
  const found = view.get(SYSTEM_SPACE, leaseKey(id), NEWEST);
  return found === undefined || found.tombstone ? undefined : decodeLease(found.value);
}

/** All leases, by id, in slices. Throws StorageError. */
export function* leasesIn(view: ReadView, pace: Pace): Generator<void, { id: LeaseId; record: LeaseRecord }[]> {
  const leases: { id: LeaseId; record: LeaseRecord }[] = [];
  for (const { key, value, tombstone } of view.scan(SYSTEM_SPACE, { ...ALL_LEASES, atRevision: NEWEST, tombstones: true })) {
    if (!tombstone) leases.push({ id: leaseOf(key), record: decodeLease(value) });
    if (pace.step()) yield;
  }
  return leases;
}

/** The keys that have a lease, in their order, in slices. Throws StorageError, EtcdError. */
export function* keysOf(view: ReadView, id: LeaseId, pace: Pace): Generator<void, Uint8Array[]> {
  const keys: Uint8Array[] = [];
  const budget = new ResponseBudget(true);
  for (const { key, tombstone } of view.scan(SYSTEM_SPACE, { ...attachedTo(id), atRevision: NEWEST, tombstones: true })) {
    if (!tombstone) {
      keys.push(keyIn(key).slice());
      budget.takeBytes(key.length);
      if (budget.exceeded) throw tooLarge(false);
    }
    if (pace.step(key.length)) yield;
  }
  return keys;
}

/** The newest version of the key is live, and names this lease. */
function hasLease(view: ReadView, key: Uint8Array, id: LeaseId): boolean {
  const entry = view.get(USER_SPACE, key, NEWEST);
  if (entry === undefined || entry.tombstone) return false;
  readRecordHead(entry.value, entry.revision, head);
  return head.lease === id;
}
