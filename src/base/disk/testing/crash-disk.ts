/**
 * A disk that knows what would survive a power loss. Until a file is synced each of its writes may
 * be there afterwards, may not, or may be torn at sectors, in any combination; until a directory is
 * synced each change of a name in it may be there or not. What was synced is there. Directories
 * themselves always survive.
 *
 * The power may also go in the middle: after `powerOffAfter(n)` the n-th change from now is the
 * last that reaches the cache, and everything fails until `crash`.
 */

import type { DirectRead, Disk, DiskFile, OpenMode } from '../../disk.js';
import type { Random } from '../../env.js';
import { DiskError } from '../../errors.js';
import { MemoryDisk, parentOf, type MemoryChange, type MemoryNode, type NameChange } from '../memory-disk.js';

const SECTOR = 512;

type PendingWrite =
  | { readonly kind: 'write'; readonly offset: number; readonly bytes: Uint8Array }
  | { readonly kind: 'resize'; readonly size: number };

/** What the medium holds of one file. */
interface Durable {
  bytes: Uint8Array;
  size: number;
  readonly pending: PendingWrite[];
}

export class CrashDisk implements Disk {
  readonly #disk: MemoryDisk;
  readonly #contents = new Map<MemoryNode, Durable>();
  #names = new Map<string, MemoryNode>();
  /** In order; a change with names in two directories is durable when either is synced. */
  #nameChanges: (readonly NameChange[])[] = [];
  #changesLeft = Infinity;
  #changes = 0;

  constructor() {
    this.#disk = new MemoryDisk({ onChange: (change) => this.#onChange(change) });
  }

  /** Changes so far: writes, resizes, syncs, names. For choosing where the power goes. */
  get changes(): number {
    return this.#changes;
  }

  /** Lets `changes` more changes through. */
  powerOffAfter(changes: number): void {
    this.#changesLeft = changes;
  }

  /**
   * Power loss and restart: the medium is all there is, open files are dead. `random` decides what
   * un-synced changes left.
   */
  crash(random: Random): void {
    this.#changesLeft = Infinity;
    const names = new Map(this.#names);
    // A journal keeps the order of names: a prefix of them is there. Without one, any of them may
    // be.
    const kept = random.below(2) === 0 ? random.below(this.#nameChanges.length + 1) : undefined;
    this.#nameChanges.forEach((changes, i) => {
      if (kept === undefined ? random.below(2) === 0 : i < kept) applyNames(names, changes);
    });
    this.#nameChanges = [];
    this.#names = names;
    const live = new Set(names.values());
    for (const [node, durable] of this.#contents) {
      if (!live.has(node)) {
        this.#contents.delete(node);
        continue;
      }
      for (const write of durable.pending.splice(0)) keepSome(durable, write, random);
      node.resize(0);
      node.write(durable.bytes.subarray(0, durable.size), 0);
      node.resize(durable.size);
    }
    this.#disk.restart(names);
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    this.#needPower();
    return this.#disk.openSync(path, mode);
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.openSync(path, mode);
  }

  sizeOf(path: string): number | undefined {
    this.#needPower();
    return this.#disk.sizeOf(path);
  }

  async readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
    this.#needPower();
    return this.#disk.readDirect(path, offset, length);
  }

  async list(dir: string): Promise<string[]> {
    this.#needPower();
    return this.#disk.list(dir);
  }

  mkdir(dir: string): Promise<void> {
    return this.#disk.mkdir(dir);
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(from, to);
  }

  link(from: string, to: string): Promise<void> {
    return this.#disk.link(from, to);
  }

  unlink(path: string): Promise<void> {
    return this.#disk.unlink(path);
  }

  syncDir(dir: string): Promise<void> {
    return this.#disk.syncDir(dir);
  }

  /** All file names, sorted. */
  files(): string[] {
    return this.#disk.files();
  }

  #onChange(change: MemoryChange): void {
    this.#beforeChange();
    switch (change.kind) {
      case 'write':
        this.#durable(change.node).pending.push({ kind: 'write', offset: change.offset, bytes: change.bytes.slice() });
        return;
      case 'resize':
        this.#durable(change.node).pending.push({ kind: 'resize', size: change.size });
        return;
      case 'sync': {
        const durable = this.#durable(change.node);
        for (const write of durable.pending.splice(0)) apply(durable, write);
        return;
      }
      case 'names':
        for (const { node } of change.changes) if (node !== undefined) this.#durable(node);
        this.#nameChanges.push(change.changes);
        return;
      case 'sync-dir':
        this.#syncNames(change.dir);
        return;
    }
  }

  #durable(node: MemoryNode): Durable {
    let durable = this.#contents.get(node);
    if (durable === undefined) this.#contents.set(node, (durable = { bytes: new Uint8Array(0), size: 0, pending: [] }));
    return durable;
  }

  #syncNames(dir: string): void {
    this.#nameChanges = this.#nameChanges.filter((changes) => {
      if (!changes.some(({ path }) => parentOf(path) === dir)) return true;
      applyNames(this.#names, changes);
      return false;
    });
  }

  #beforeChange(): void {
    this.#needPower();
    this.#changes++;
    this.#changesLeft--;
  }

  #needPower(): void {
    if (this.#changesLeft <= 0) throw new DiskError('IO', 'the power is off', { path: '' });
  }
}

function applyNames(names: Map<string, MemoryNode>, changes: readonly NameChange[]): void {
  for (const { path, node } of changes) {
    if (node === undefined) names.delete(path);
    else names.set(path, node);
  }
}

function apply(durable: Durable, write: PendingWrite): void {
  if (write.kind === 'resize') return resize(durable, write.size);
  put(durable, write.bytes, write.offset);
}

function keepSome(durable: Durable, write: PendingWrite, random: Random): void {
  const fate = random.below(3);
  if (fate === 0) return;
  if (fate === 1 || write.kind === 'resize') return apply(durable, write);
  const end = write.offset + write.bytes.length;
  for (let at = write.offset; at < end; ) {
    const next = Math.min(end, at - (at % SECTOR) + SECTOR);
    if (random.below(2) === 0) put(durable, write.bytes.subarray(at - write.offset, next - write.offset), at);
    at = next;
  }
}

function put(durable: Durable, bytes: Uint8Array, offset: number): void {
  if (offset + bytes.length > durable.size) resize(durable, offset + bytes.length);
  durable.bytes.set(bytes, offset);
}

function resize(durable: Durable, size: number): void {
  if (size > durable.bytes.length) {
    const grown = new Uint8Array(Math.max(size, durable.bytes.length * 2));
    grown.set(durable.bytes.subarray(0, durable.size));
    durable.bytes = grown;
  } else if (size < durable.size) {
    durable.bytes.fill(0, size, durable.size);
  }
  durable.size = size;
}
