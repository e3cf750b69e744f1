/**
 * The disk of one node. It outlives the lives of the node: each life has a handle on it, which dies
 * with it. The simulator has two other ways in: a view of medium and cache without faults, delays
 * or trace, and damage, which is durable at once.
 */

import { assert } from '../../base/assert.js';
import { normalPath } from '../../base/disk/memory-disk.js';
import type { Disk } from '../../base/disk.js';
import type { Coverage } from '../model/coverage.js';
import type { Structure } from '../model/fault.js';
import type { Process, World } from '../world/world.js';
import type { ArmedFault } from './armed-faults.js';
import { DiskState } from './disk-state.js';
import { Inode } from './inode.js';
import { LifeDisk } from './life-disk.js';
import { Life } from './life.js';
import { pathTo, type Entry } from './names.js';
import { powerLoss } from './power-loss.js';

export type { ArmedFault } from './armed-faults.js';

/**
 * Durable names and contents, hard links included: what a power loss that keeps nothing would
 * leave. It never changes.
 */
export interface DiskImage {
  readonly names: readonly (readonly [path: string, content: number | 'dir'])[];
  readonly contents: readonly Uint8Array[];
}

export class SimDisk {
  readonly #state: DiskState;
  #life: Life | undefined;

  constructor(world: World, node: number, coverage: Coverage) {
    this.#state = new DiskState(world, node, coverage);
  }

  /**
   * What lies at a place: for counting what a power loss took. By default decided by the path
   * alone.
   */
  get structureOf(): (path: string, offset: number) => Structure {
    return this.#state.structureOf;
  }

  set structureOf(structureOf: (path: string, offset: number) => Structure) {
    this.#state.structureOf = structureOf;
  }

  /** Changes so far: writes, resizes, syncs, names. For choosing where the power goes. */
  get changes(): number {
    return this.#state.changes;
  }

  // Lives.

  /**
   * The disk of one life: its handles and pending operations die with it. `onPowerOff` is
   * scheduled, never called from within a call.
   */
  attach(process: Process, onPowerOff: () => void): Disk {
    this.#life?.end();
    this.#life = new Life(this.#state, process, onPowerOff);
    return new LifeDisk(this.#life);
  }

  /** Power loss: what was not synced is kept, lost or torn; the cache is gone. */
  crash(): void {
    this.#end();
    powerLoss(this.#state);
  }

  /**
   * The process alone is gone: the system has the cache and all that waits. It forgets that a sync
   * failed: the cache may go on lying.
   */
  killed(): void {
    this.#end();
    for (const [, inode] of this.#state.names.files()) inode.poison = undefined;
  }

  /**
   * The power goes after so many more changes, in this life or while the next one opens. `crash`
   * and `killed` call it off.
   */
  powerOffAfter(changes: number): void {
    this.#state.changesLeft = changes;
    if (changes <= 0 && this.#life?.over === false) this.#life.powerOff();
  }

  /** The power goes at once, amid what was written to `path` just now and not yet synced. */
  tear(path: string): void {
    this.#state.torn = path;
    this.powerOffAfter(1);
  }

  // What the simulator sees: without faults, delays or trace.

  /** All files, sorted. Bytes as the node sees them. */
  list(): { readonly path: string; readonly bytes: number }[] {
    return this.#state.names.files().map(([path, inode]) => ({ path, bytes: inode.size }));
  }

  /**
   * What the medium holds of a file that has a name: a view, valid until the next change of it. Not
   * to be written to.
   */
  medium(path: string): Uint8Array | undefined {
    return this.#file(path)?.medium;
  }

  /** What a cached read sees: a copy. */
  cached(path: string): Uint8Array | undefined {
    return this.#file(path)?.cached();
  }

  /** As the node sees it. */
  sizeOf(path: string): number | undefined {
    return this.#file(path)?.size;
  }

  /** Offsets of the sectors of 512 bytes that a sticky read error left unreadable. */
  badSectors(path: string): number[] {
    return this.#file(path)?.badSectors() ?? [];
  }

  /** Whether changes of the file wait for a sync. */
  isDirty(path: string): boolean {
    return (this.#file(path)?.pending.count ?? 0) > 0;
  }

  /** Whether the name is on the medium: of this file, or of one that it takes the place of. */
  isNamed(path: string): boolean {
    return this.#state.names.durable().has(normalPath(path));
  }

  // Damage to what is stored, durable at once.

  /**
   * `change` gets those of the `length` bytes that the medium has, to be changed in place. Returns
   * false if there are none. `behindCache`: pages in the cache still read clean until they are
   * evicted; direct reads see the damage.
   */
  alter(path: string, offset: number, change: (bytes: Uint8Array) => void, length: number, behindCache: boolean): boolean {
    return this.#file(path)?.alter(offset, length, change, behindCache) ?? false;
  }

  /** The sector at `offset` cannot be read until it is written, or {@link disarm} is called. */
  spoil(path: string, offset: number): void {
    this.#file(path)?.spoil(offset);
  }

  /** The file cannot be opened from now on; it is there, and its size can be told. */
  lock(path: string): void {
    const inode = this.#file(path);
    if (inode !== undefined) inode.locked = true;
  }

  isLocked(path: string): boolean {
    return this.#file(path)?.locked === true;
  }

  /** The name is gone. False if there was none. */
  remove(path: string): boolean {
    if (this.#file(path) === undefined) return false;
    this.#state.names.force(normalPath(path), undefined);
    return true;
  }

  /** Truncated, or extended with junk. */
  resize(path: string, size: number): boolean {
    const inode = this.#file(path);
    inode?.resizeStored(size, (bytes) => {
      for (let i = 0; i < bytes.length; i++) bytes[i] = this.#state.random.below(256);
    });
    return inode !== undefined;
  }

  /**
   * The file has another name, in place of what had it. False if there is none, or no directory for
   * the new name.
   */
  rename(from: string, to: string): boolean {
    const [source, target] = [normalPath(from), normalPath(to)];
    const inode = this.#file(source);
    const dir = target.slice(0, Math.max(0, target.lastIndexOf('/')));
    if (inode === undefined || source === target || !this.#state.names.isDir(dir)) return false;
    this.#state.names.force(target, inode);
    this.#state.names.force(source, undefined);
    inode.path = target;
    return true;
  }

  /**
   * The file holds these bytes (a copy is kept), for open handles too; it and its directories are
   * made where they are missing.
   */
  put(path: string, bytes: Uint8Array): void {
    const name = normalPath(path);
    const inode = this.#file(name) ?? new Inode(name);
    for (const dir of pathTo(name).slice(0, -1)) if (!this.#state.names.isDir(dir)) this.#state.names.force(dir, 'dir');
    inode.replace(bytes.slice());
    this.#state.names.force(name, inode);
  }

  /** The cache forgets the clean pages of one file or of all. */
  evict(path?: string): void {
    if (path !== undefined) return this.#file(path)?.evict();
    for (const [, inode] of this.#state.names.files()) inode.evict();
  }

  // As a whole.

  image(): DiskImage {
    const contents = new Map<Inode, number>();
    const names = [...this.#state.names.durable()].map(([path, entry]): readonly [string, number | 'dir'] => {
      if (entry === 'dir') return [path, entry];
      if (!contents.has(entry)) contents.set(entry, contents.size);
      return [path, contents.get(entry) as number];
    });
    return { names, contents: [...contents.keys()].map((inode) => inode.medium.slice()) };
  }

  /** Everything is as it was. The node is down. */
  restore(image: DiskImage): void {
    this.#needDown();
    this.swap(image);
  }

  /**
   * The same, also under a life that runs: what it has open is without a name from now on, and it
   * goes on with that.
   */
  swap(image: DiskImage): void {
    const inodes = image.contents.map((bytes) => new Inode('', bytes.slice()));
    const names = new Map<string, Entry>();
    for (const [path, content] of image.names) {
      const entry = content === 'dir' ? content : (inodes[content] as Inode);
      if (entry !== 'dir') entry.path = path;
      names.set(path, entry);
    }
    this.#state.names.replace(names);
  }

  /** An empty data directory. The node is down. */
  wipe(): void {
    this.#needDown();
    this.#state.names.replace(new Map());
  }

  // Faults to come.

  arm(fault: ArmedFault): void {
    this.#state.faults.arm(fault);
  }

  /**
   * No fault waits any more, and sectors that could not be read can be. What is damaged stays
   * damaged.
   */
  disarm(): void {
    this.#state.faults.disarm();
    for (const [, inode] of this.#state.names.files()) inode.unspoil();
  }

  #file(path: string): Inode | undefined {
    return this.#state.names.file(normalPath(path));
  }

  #end(): void {
    this.#life?.end();
    this.#life = undefined;
    this.#state.changesLeft = Infinity;
  }

  #needDown(): void {
    assert(this.#life?.over !== false, `node ${this.#state.node} is down while its disk is replaced`);
  }
}
