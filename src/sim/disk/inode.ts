/**
 * One file: what the medium holds, and what the page cache says it holds. A cached read sees the
 * cache, which asks the medium only for pages it does not hold; a direct read sees the medium under
 * whatever was not written back yet. The two differ for as long as writes wait for a sync, and for
 * good when the disk lies: rot behind the cache, a write that the device lost, a failed sync.
 *
 * A page that waits for a sync is always held, so that what is loaded from the medium is never
 * older than what was written.
 */

import type { DiskError } from '../../base/errors.js';
import { PendingWrites, type PendingVisitor } from './pending-writes.js';

export const PAGE = 4096;
export const SECTOR = 512;
const NOTHING: Uint8Array = new Uint8Array(0);

/** What becomes of one change when the power goes. */
export type Fate = 'kept' | 'lost' | 'torn';

export interface FateOfChange {
  /** Called for each change in order; `offset` and `length` are 0 for a change of the size. */
  fate(offset: number, length: number): Fate;
  /** For each sector of a torn write: whether it got to the medium. */
  keepsSector(offset: number): boolean;
}

export class Inode {
  /** The name it was last known under: for faults and coverage, not for finding it. */
  path: string;
  /**
   * Set by a failed sync: every later write and sync fails with it until the system that knows of
   * it restarts.
   */
  poison: DiskError | undefined;
  /** It cannot be opened, whatever its name. */
  locked = false;
  /** Changes that are not on the medium. */
  readonly pending = new PendingWrites();
  #medium: Uint8Array = NOTHING;
  #mediumSize = 0;
  #cache: Uint8Array = NOTHING;
  #size = 0;
  /** 1: the cache holds the page. */
  #held: Uint8Array = NOTHING;
  /** Sectors that the medium cannot read. */
  #bad: Set<number> | undefined;
  readonly #toMediumAll: PendingVisitor = {
    write: (bytes, offset) => this.#toMedium(bytes, offset),
    resize: (size) => this.#resizeMedium(size),
  };

  constructor(path: string, medium = NOTHING) {
    this.path = path;
    this.#medium = medium;
    this.#mediumSize = medium.length;
    this.#reopen();
  }

  /** As the operating system reports it. */
  get size(): number {
    return this.#size;
  }

  get mediumSize(): number {
    return this.#mediumSize;
  }

  /** What the medium holds: a view, valid until the next change. */
  get medium(): Uint8Array {
    return this.#medium.subarray(0, this.#mediumSize);
  }

  /** What a cached read of all would return: a copy. Loads nothing. */
  cached(): Uint8Array {
    const all = this.#cache.slice(0, this.#size);
    for (let page = 0; page * PAGE < this.#size; page++) if (this.#held[page] === 0) this.#loadInto(all, page);
    return all;
  }

  /** Bytes of [offset, offset + length) that lie in pages which the cache does not hold. */
  missing(offset: number, length: number): number {
    const end = Math.min(offset + length, this.#size);
    let bytes = 0;
    for (let page = Math.floor(offset / PAGE); page * PAGE < end; page++) if (this.#held[page] === 0) bytes += PAGE;
    return bytes;
  }

  /** Loads what is missing and reads from the cache. */
  read(into: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(into.length, this.#size - offset));
    if (length === 0) return 0;
    this.#load(offset, offset + length);
    into.set(this.#cache.subarray(offset, offset + length));
    return length;
  }

  /** From the medium, under what was not written back yet: a direct read writes that back first. */
  readDirect(offset: number, length: number): Uint8Array {
    const out = new Uint8Array(Math.max(0, Math.min(length, this.#size - offset)));
    const end = Math.min(offset + out.length, this.#mediumSize);
    if (end > offset) out.set(this.#medium.subarray(offset, end));
    if (this.pending.count > 0) {
      this.pending.visit({
        write: (bytes, at) => overlay(out, offset, bytes, at),
        resize: (size) => out.fill(0, Math.max(0, Math.min(out.length, size - offset))),
      });
    }
    return out;
  }

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.#size) this.#grow(end);
    // A page that is changed in part is read first.
    if (offset % PAGE !== 0) this.#load(offset, offset + 1);
    if (end % PAGE !== 0) this.#load(end - 1, end);
    this.#cache.set(bytes, offset);
    for (let page = Math.floor(offset / PAGE); page * PAGE < end; page++) this.#held[page] = 1;
    this.pending.addWrite(bytes, offset);
  }

  resize(size: number): void {
    this.#setSize(size);
    this.pending.addResize(size);
  }

  /**
   * A sync came to its end: all changes before number `end` are on the medium, but for those the
   * device only says it wrote.
   */
  writeBack(end: number, isLost?: (bytes: Uint8Array, offset: number) => boolean): void {
    const visitor: PendingVisitor = isLost === undefined ? this.#toMediumAll : {
      write: (bytes, offset) => {
        if (!isLost(bytes, offset)) this.#toMedium(bytes, offset);
      },
      resize: (size) => this.#resizeMedium(size),
    };
    this.pending.visit(visitor, end);
    this.pending.drop(end);
  }

  /**
   * A sync failed: all changes before number `end` look clean in the cache. Those for which
   * `reached` says so had got to the medium before it failed; the others never will.
   */
  giveUp(end: number, poison: DiskError, reached: () => boolean): void {
    this.pending.visit({
      write: (bytes, offset) => {
        if (reached()) this.#toMedium(bytes, offset);
      },
      resize: (size) => {
        if (reached()) this.#resizeMedium(size);
      },
    }, end);
    this.pending.drop(end);
    this.poison = poison;
  }

  /** The power went: of the pending changes `fates` keeps some, and the cache is gone. */
  crash(fates: FateOfChange): void {
    this.pending.visit({
      write: (bytes, offset) => {
        const fate = fates.fate(offset, bytes.length);
        if (fate === 'kept') this.#toMedium(bytes, offset);
        else if (fate === 'torn') this.#tear(bytes, offset, fates);
      },
      resize: (size) => {
        if (fates.fate(0, 0) !== 'lost') this.#resizeMedium(size);
      },
    });
    this.pending.drop();
    this.poison = undefined;
    this.#reopen();
  }

  /** The cache forgets its clean pages. */
  evict(): void {
    const held = new Uint8Array(this.#held.length);
    this.pending.visit({
      write: (bytes, offset) => held.fill(1, Math.floor(offset / PAGE), Math.ceil((offset + bytes.length) / PAGE)),
      resize: (size) => held.fill(1, Math.floor(size / PAGE)),
    });
    for (let page = 0; page < held.length; page++) if (held[page] === 0) this.#held[page] = 0;
  }

  /**
   * Changes what the medium holds; what the cache holds of it follows unless it is `behindCache`.
   * False if nothing is there.
   */
  alter(offset: number, length: number, change: (bytes: Uint8Array) => void, behindCache: boolean): boolean {
    const end = Math.min(offset + length, this.#mediumSize);
    if (end <= offset) return false;
    change(this.#medium.subarray(offset, end));
    if (!behindCache) this.#cache.set(this.readDirect(offset, end - offset), offset);
    return true;
  }

  /**
   * Becomes shorter or longer, on the medium and in the cache; `fill` says what the new bytes are.
   */
  resizeStored(size: number, fill: (bytes: Uint8Array) => void): void {
    const old = this.#mediumSize;
    this.#resizeMedium(size);
    this.#setSize(size);
    if (size <= old) return;
    fill(this.#medium.subarray(old, size));
    this.#cache.set(this.#medium.subarray(old, size), old);
  }

  /**
   * All that there is becomes `bytes`, on the medium and in the cache. Nothing is pending any more.
   */
  replace(bytes: Uint8Array): void {
    this.pending.drop();
    this.#medium = bytes;
    this.#mediumSize = bytes.length;
    this.#bad = undefined;
    this.#reopen();
  }

  /**
   * The first sector that the medium cannot read, if a read of the range past the cache meets one.
   */
  unreadable(offset: number, length: number): number | undefined {
    if (this.#bad === undefined) return undefined;
    for (let sector = Math.floor(offset / SECTOR); sector * SECTOR < offset + length; sector++) {
      if (this.#bad.has(sector)) return sector * SECTOR;
    }
    return undefined;
  }

  /**
   * Offset of the first bad sector of a page that this write changes in part and that is not held:
   * it would have to be read first.
   */
  unwritable(offset: number, length: number): number | undefined {
    if (this.#bad === undefined) return undefined;
    for (const at of [offset, offset + length]) {
      const page = Math.floor(at / PAGE);
      if (at % PAGE === 0 || this.#held[page] === 1) continue;
      const bad = this.unreadable(page * PAGE, PAGE);
      if (bad !== undefined) return bad;
    }
    return undefined;
  }

  /**
   * From now on the medium cannot read the sector at `offset`, until its page is written. The cache
   * forgets it if it may.
   */
  spoil(offset: number): void {
    (this.#bad ??= new Set()).add(Math.floor(offset / SECTOR));
    this.evict();
  }

  /** All sectors can be read again. */
  unspoil(): void {
    this.#bad = undefined;
  }

  /** Offsets of the sectors that cannot be read, in the order in which they went bad. */
  badSectors(): number[] {
    return this.#bad === undefined ? [] : [...this.#bad].map((sector) => sector * SECTOR);
  }

  #reopen(): void {
    this.#size = this.#mediumSize;
    this.#reserve(this.#size);
    this.#held.fill(0);
  }

  #grow(size: number): void {
    this.#reserve(size);
    // The gap is zero, whatever the medium holds there.
    const from = Math.ceil(this.#size / PAGE);
    if (this.#size % PAGE !== 0) this.#load(this.#size - 1, this.#size);
    this.#held.fill(1, from, Math.ceil(size / PAGE));
    this.#cache.fill(0, this.#size, size);
    this.#size = size;
  }

  #setSize(size: number): void {
    if (size > this.#size) return this.#grow(size);
    if (size % PAGE !== 0) this.#load(size - 1, size);
    this.#cache.fill(0, size, this.#size);
    this.#size = size;
  }

  #reserve(size: number): void {
    if (size <= this.#cache.length) return;
    const pages = Math.ceil(Math.max(size, this.#cache.length * 2) / PAGE);
    const cache = new Uint8Array(pages * PAGE);
    cache.set(this.#cache);
    const held = new Uint8Array(pages);
    held.set(this.#held);
    this.#cache = cache;
    this.#held = held;
  }

  #load(from: number, to: number): void {
    for (let page = Math.floor(from / PAGE); page * PAGE < to; page++) {
      if (this.#held[page] !== 0) continue;
      this.#held[page] = 1;
      this.#loadInto(this.#cache, page);
    }
  }

  #loadInto(target: Uint8Array, page: number): void {
    const from = page * PAGE;
    const to = Math.min(from + PAGE, target.length);
    const end = Math.max(from, Math.min(to, this.#mediumSize, this.#size));
    if (end > from) target.set(this.#medium.subarray(from, end), from);
    if (to > end) target.fill(0, end, to);
  }

  #toMedium(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.#mediumSize) this.#resizeMedium(end);
    this.#medium.set(bytes, offset);
    // The system writes whole pages back, and a disk maps a bad sector elsewhere when it is
    // written.
    if (this.#bad !== undefined) this.#heal(offset - (offset % PAGE), Math.ceil(end / PAGE) * PAGE);
  }

  #tear(bytes: Uint8Array, offset: number, fates: FateOfChange): void {
    const end = offset + bytes.length;
    for (let at = offset; at < end; ) {
      const next = Math.min(end, at - (at % SECTOR) + SECTOR);
      if (fates.keepsSector(at)) this.#toMedium(bytes.subarray(at - offset, next - offset), at);
      at = next;
    }
  }

  #resizeMedium(size: number): void {
    if (size > this.#medium.length) {
      const grown = new Uint8Array(Math.ceil(Math.max(size, this.#medium.length * 2) / PAGE) * PAGE);
      grown.set(this.#medium.subarray(0, this.#mediumSize));
      this.#medium = grown;
    } else if (size < this.#mediumSize) {
      this.#medium.fill(0, size, this.#mediumSize);
    }
    this.#mediumSize = size;
  }

  #heal(offset: number, end: number): void {
    if (this.#bad === undefined) return;
    for (let sector = Math.floor(offset / SECTOR); sector * SECTOR < end; sector++) this.#bad.delete(sector);
    if (this.#bad.size === 0) this.#bad = undefined;
  }
}

/**
 * Puts the part of `patch` (at `patchAt` in the file) into `bytes` (at `at` in the file) that falls
 * into it.
 */
function overlay(bytes: Uint8Array, at: number, patch: Uint8Array, patchAt: number): void {
  const from = Math.max(at, patchAt);
  const to = Math.min(at + bytes.length, patchAt + patch.length);
  if (from < to) bytes.set(patch.subarray(from - patchAt, to - patchAt), from - at);
}
