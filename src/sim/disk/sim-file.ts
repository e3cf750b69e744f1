/**
 * An open file of one life. What it writes is in the page cache at once and on the medium when a
 * sync that began later has ended; what the device does with it then (takes it, loses it, puts it
 * elsewhere, fails) is decided at that end.
 */

import { assert } from '../../base/assert.js';
import type { DiskFile } from '../../base/disk.js';
import { DiskError } from '../../base/errors.js';
import type { Inode } from './inode.js';
import type { Life } from './life.js';
import { checkRead, checkWrite, misread } from './read-faults.js';
import { deviceFaults } from './write-faults.js';

/** More bytes than this do not wait for a sync: the system writes them back by itself. */
const MAX_PENDING_BYTES = 4 * 1024 * 1024;

export class SimFile implements DiskFile {
  readonly path: string;
  readonly #life: Life;
  readonly #inode: Inode;
  readonly #writable: boolean;
  #open = true;

  constructor(life: Life, path: string, inode: Inode, writable: boolean) {
    this.#life = life;
    this.path = path;
    this.#inode = inode;
    this.#writable = writable;
  }

  size(): number {
    this.#check();
    return this.#inode.size;
  }

  readSync(into: Uint8Array, offset: number): number {
    this.#check();
    this.#life.stall(this.#readCost(into.length, offset));
    return this.#read(into, offset);
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    const begin = (): number => {
      this.#check();
      return this.#life.state.latency.pool() + this.#readCost(into.length, offset);
    };
    return this.#life.later(begin, () => this.#read(into, offset));
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    this.#checkWrite();
    this.#life.stall(this.#writeCost(bytes.length, offset));
    this.#write(bytes, offset);
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    const begin = (): number => {
      this.#checkWrite();
      return this.#life.state.latency.pool() + this.#writeCost(bytes.length, offset);
    };
    return this.#life.later(begin, () => this.#write(bytes, offset));
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#check();
      const inode = this.#inode;
      if (inode.poison !== undefined) throw inode.poison;
      const { world, latency } = this.#life.state;
      const { pending } = inode;
      const end = pending.end;
      const delay = latency.sync(world.nowUs, pending.bytes, this.#syncExtra(end));
      world.trace.fold(pending.bytes, inode.size);
      world.schedule(delay, () => {
        try {
          this.#synced(end);
        } catch (error) {
          return reject(error as Error);
        }
        resolve();
      }, this.#life.process);
      this.#life.changed();
    });
  }

  truncate(size: number): Promise<void> {
    const begin = (): number => {
      this.#checkWrite();
      return this.#life.state.latency.pool();
    };
    return this.#life.later(begin, () => this.#truncate(size));
  }

  close(): void {
    assert(this.#open, `${this.path} is closed twice`);
    this.#open = false;
  }

  #read(into: Uint8Array, offset: number): number {
    const { state } = this.#life;
    const inode = this.#inode;
    state.beforeCachedRead(inode);
    checkRead(state, inode, offset, into.length, false);
    const length = inode.read(into, offset);
    if (!state.faults.none) misread(state, inode, into.subarray(0, length), offset);
    return length;
  }

  #readCost(length: number, offset: number): number {
    const { state } = this.#life;
    const missing = this.#inode.missing(offset, length);
    const cost = missing > 0 ? state.latency.device(missing) : state.latency.copy(length);
    return cost + (state.strike('slow-io', this.#inode.path, offset, length)?.delayUs ?? 0);
  }

  #writeCost(length: number, offset: number): number {
    const { state } = this.#life;
    return state.latency.copy(length) + (state.strike('slow-io', this.#inode.path, offset, length)?.delayUs ?? 0);
  }

  #write(bytes: Uint8Array, offset: number): void {
    const inode = this.#inode;
    const { state } = this.#life;
    if (inode.poison !== undefined) throw inode.poison;
    if (!state.faults.none) this.#writeFaults(bytes.length, offset);
    checkWrite(inode, offset, bytes.length);
    inode.write(bytes, offset);
    state.world.trace.fold(offset, bytes.length);
    if (inode.pending.bytes > MAX_PENDING_BYTES) inode.writeBack(inode.pending.end, deviceFaults(state, inode));
    this.#life.changed();
  }

  #truncate(size: number): void {
    const inode = this.#inode;
    const { state } = this.#life;
    if (inode.poison !== undefined) throw inode.poison;
    const grows = size - inode.size;
    if (grows > 0 && state.strike('no-space', inode.path, inode.size, grows) !== undefined) throw this.#noSpace();
    inode.resize(size);
    this.#life.changed();
  }

  #writeFaults(length: number, offset: number): void {
    const { state } = this.#life;
    const { path, size } = this.#inode;
    if (state.strike('write-error', path, offset, length) !== undefined) {
      throw new DiskError('WRITE_FAILED', `${this.path}: EIO (injected)`, { path: this.path, offset, errno: 'EIO' });
    }
    if (offset + length > size && state.strike('no-space', path, offset, length) !== undefined) throw this.#noSpace();
  }

  /** A sync that began before change number `end` has ended. */
  #synced(end: number): void {
    const inode = this.#inode;
    const { state } = this.#life;
    if (inode.poison !== undefined) throw inode.poison;
    if (state.faults.none) return inode.writeBack(end);
    const [from, to] = inode.pending.span(end);
    if (state.strike('sync-error', inode.path, from, to - from) !== undefined) {
      const poison = new DiskError('SYNC_FAILED', `${this.path}: EIO (injected)`, { path: this.path, errno: 'EIO' });
      const some = state.random.chance(1, 2);
      inode.giveUp(end, poison, () => some && state.random.chance(1, 2));
      throw poison;
    }
    inode.writeBack(end, deviceFaults(state, inode));
  }

  #syncExtra(end: number): number {
    const { state } = this.#life;
    if (state.faults.none) return 0;
    const { path, pending } = this.#inode;
    const [from, to] = pending.span(end);
    const stalled = state.strike('stalled-sync', path, from, to - from)?.delayUs ?? 0;
    return stalled + (state.strike('slow-io', path, from, to - from)?.delayUs ?? 0);
  }

  #noSpace(): DiskError {
    return new DiskError('NO_SPACE', `${this.path}: ENOSPC (injected)`, { path: this.path, errno: 'ENOSPC' });
  }

  #check(): void {
    if (!this.#open) throw new DiskError('CLOSED', `${this.path} is closed`, { path: this.path });
    this.#life.check(this.path);
  }

  #checkWrite(): void {
    this.#check();
    if (this.#inode.poison !== undefined) throw this.#inode.poison;
    if (!this.#writable) throw new DiskError('WRITE_FAILED', `${this.path} is open for reading`, { path: this.path, errno: 'EBADF' });
  }
}
