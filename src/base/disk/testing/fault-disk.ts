/**
 * A disk that fails as disks do, on top of any other. Faults are rules on paths: reads, writes and
 * syncs that fail, no space, bits that flip on the way; and damage to what is stored. A failed sync
 * is the one of ext4: the new bytes stay readable through the cache, are not on the medium, and
 * every later write and sync of the file fails, through whatever name or handle.
 */

import type { DirectRead, Disk, DiskFile, OpenMode } from '../../disk.js';
import { DiskError, type DiskErrorCode } from '../../errors.js';
import { normalPath } from '../memory-disk.js';

export type FaultKind =
  /** EIO on a read that meets the range. */
  | 'read-error'
  /** EIO on a write that meets the range; nothing is written. */
  | 'write-error'
  /** EACCES on opening a file for writing. */
  | 'open-error'
  /** ENOSPC on a write that would make the file larger, and on creating one. */
  | 'no-space'
  /** The same, and on writes in place as well: of a file system that copies on write. */
  | 'no-space-in-place'
  | 'sync-error'
  /** A failed sync that says ENOSPC. */
  | 'no-space-sync'
  | 'sync-dir-error'
  /** The first bit of the range is flipped in what a read returns; the medium is fine. */
  | 'misread';

export interface Fault {
  readonly kind: FaultKind;
  /** A path, a directory (all below it), or a predicate. */
  readonly path: string | ((path: string) => boolean);
  /** Bytes [from, to) of the file. Default: all. */
  readonly from?: number;
  readonly to?: number;
  /** How often; default: always. */
  readonly times?: number;
  /** So many that it would have met are let through first. Default 0. */
  readonly after?: number;
}

interface InjectedFault {
  /** How often it struck. */
  readonly hits: number;
  remove(): void;
}

interface Rule {
  readonly fault: Fault;
  hits: number;
  passed: number;
}

/** What is known of one file under all its names. */
interface FileState {
  poison: DiskError | undefined;
  /** Newest last: what the medium holds where the cache says otherwise since the last good sync. */
  undo: { readonly offset: number; readonly bytes: Uint8Array; readonly size: number }[];
  /** The same, for good, once a sync has failed. */
  lost: { readonly offset: number; readonly bytes: Uint8Array; readonly size: number }[];
}

export class FaultDisk implements Disk {
  readonly #disk: Disk;
  readonly #rules: Rule[] = [];
  readonly #states = new Map<string, FileState>();
  /** Opened and not closed. */
  openFiles = 0;
  /** Writes and syncs of files of which a sync had failed before, by path. */
  readonly retried: string[] = [];

  constructor(disk: Disk) {
    this.#disk = disk;
  }

  inject(fault: Fault): InjectedFault {
    const rule: Rule = { fault, hits: 0, passed: 0 };
    this.#rules.push(rule);
    return {
      get hits() {
        return rule.hits;
      },
      remove: () => {
        const at = this.#rules.indexOf(rule);
        if (at >= 0) this.#rules.splice(at, 1);
      },
    };
  }

  /** Bit 0 is the lowest bit of byte 0. Stored, durably. */
  async flipBit(path: string, bit: number): Promise<void> {
    await this.#alter(path, Math.floor(bit / 8), 1, (bytes) => (bytes[0] = (bytes[0] as number) ^ (1 << bit % 8)));
  }

  async zero(path: string, offset: number, length: number): Promise<void> {
    await this.#alter(path, offset, length, (bytes) => bytes.fill(0));
  }

  async overwrite(path: string, offset: number, bytes: Uint8Array): Promise<void> {
    await this.#alter(path, offset, bytes.length, (old) => old.set(bytes.subarray(0, old.length)));
  }

  /** The file becomes shorter or longer behind the owner's back. */
  async resize(path: string, size: number): Promise<void> {
    const file = await this.#disk.open(path, 'write');
    await file.truncate(size);
    await file.sync();
    file.close();
  }

  /**
   * The cache forgets what failed syncs left in it, and files can be written again: what a restart
   * of the machine does.
   */
  async restart(): Promise<void> {
    for (const [path, state] of this.#states) {
      if (state.lost.length === 0 || this.#disk.sizeOf(path) === undefined) continue;
      const file = await this.#disk.open(path, 'write');
      for (const { offset, bytes, size } of state.lost.splice(0).reverse()) {
        file.writeSync(bytes, offset);
        await file.truncate(size);
      }
      await file.sync();
      file.close();
    }
    this.#states.clear();
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    this.#beforeOpen(path, mode);
    return new FaultFile(this, path, this.#disk.openSync(path, mode), this.state(path));
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    this.#beforeOpen(path, mode);
    return new FaultFile(this, path, await this.#disk.open(path, mode), this.state(path));
  }

  sizeOf(path: string): number | undefined {
    return this.#disk.sizeOf(path);
  }

  async readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
    this.check('read-error', path, 'READ_FAILED', 'EIO', offset, length);
    const read = await this.#disk.readDirect(path, offset, length);
    const bytes = read.bytes;
    for (const lost of [...this.state(path).lost].reverse()) overlay(bytes, offset, lost.bytes, lost.offset);
    this.misread(path, bytes, offset);
    return read;
  }

  list(dir: string): Promise<string[]> {
    return this.#disk.list(dir);
  }

  mkdir(dir: string): Promise<void> {
    return this.#disk.mkdir(dir);
  }

  async rename(from: string, to: string): Promise<void> {
    await this.#disk.rename(from, to);
    this.#share(from, to);
    if (normalPath(from) !== normalPath(to)) this.#states.delete(normalPath(from));
  }

  async link(from: string, to: string): Promise<void> {
    await this.#disk.link(from, to);
    this.#share(from, to);
  }

  async unlink(path: string): Promise<void> {
    await this.#disk.unlink(path);
    this.#states.delete(normalPath(path));
  }

  async syncDir(dir: string): Promise<void> {
    this.check('sync-dir-error', dir, 'SYNC_FAILED', 'EIO');
    await this.#disk.syncDir(dir);
  }

  /** Of the file that has this name now. */
  state(path: string): FileState {
    const name = normalPath(path);
    let state = this.#states.get(name);
    if (state === undefined) this.#states.set(name, (state = { poison: undefined, undo: [], lost: [] }));
    return state;
  }

  /** Whether a sync of this file may be going to fail: only then are old bytes kept. */
  mayLose(path: string): boolean {
    return this.#rules.some(({ fault }) => (fault.kind === 'sync-error' || fault.kind === 'no-space-sync') && matches(fault, path));
  }

  /** Throws if a rule of this kind strikes. */
  check(kind: FaultKind, path: string, code: DiskErrorCode, errno: string, offset = 0, length = Infinity): void {
    if (!this.strikes(kind, path, offset, length)) return;
    throw new DiskError(code, `${path}: ${errno} (injected)`, { path, offset, errno });
  }

  misread(path: string, bytes: Uint8Array, offset: number): void {
    for (const rule of this.#rules) {
      const at = (rule.fault.from ?? 0) - offset;
      if (rule.fault.kind !== 'misread' || at < 0 || at >= bytes.length || !live(rule) || !matches(rule.fault, path)) continue;
      rule.hits++;
      bytes[at] = (bytes[at] as number) ^ 1;
    }
  }

  strikes(kind: FaultKind, path: string, offset: number, length: number): boolean {
    for (const rule of this.#rules) {
      const { fault } = rule;
      const meets = offset < (fault.to ?? Infinity) && offset + length > (fault.from ?? 0);
      if (fault.kind !== kind || !meets || !live(rule) || !matches(fault, path)) continue;
      if (rule.passed++ < (fault.after ?? 0)) continue;
      rule.hits++;
      return true;
    }
    return false;
  }

  #beforeOpen(path: string, mode: OpenMode): void {
    if (mode !== 'read') this.check('open-error', path, 'IO', 'EACCES');
    if ((mode === 'create' || mode === 'open-or-create') && this.#disk.sizeOf(path) === undefined) {
      this.check('no-space', path, 'NO_SPACE', 'ENOSPC');
      this.check('no-space-in-place', path, 'NO_SPACE', 'ENOSPC');
    }
  }

  /** `to` is now another name of `from`'s file. */
  #share(from: string, to: string): void {
    this.#states.set(normalPath(to), this.state(from));
  }

  async #alter(path: string, offset: number, length: number, change: (bytes: Uint8Array) => void): Promise<void> {
    const file = await this.#disk.open(path, 'write');
    const bytes = new Uint8Array(length);
    const found = bytes.subarray(0, file.readSync(bytes, offset));
    change(found);
    file.writeSync(found, offset);
    await file.sync();
    file.close();
  }
}

class FaultFile implements DiskFile {
  readonly path: string;
  readonly #disk: FaultDisk;
  readonly #file: DiskFile;
  readonly #state: FileState;

  constructor(disk: FaultDisk, path: string, file: DiskFile, state: FileState) {
    this.#disk = disk;
    this.path = path;
    this.#file = file;
    this.#state = state;
    disk.openFiles++;
  }

  size(): number {
    return this.#file.size();
  }

  readSync(into: Uint8Array, offset: number): number {
    this.#disk.check('read-error', this.path, 'READ_FAILED', 'EIO', offset, into.length);
    const length = this.#file.readSync(into, offset);
    this.#disk.misread(this.path, into.subarray(0, length), offset);
    return length;
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    this.#disk.check('read-error', this.path, 'READ_FAILED', 'EIO', offset, into.length);
    const length = await this.#file.read(into, offset);
    this.#disk.misread(this.path, into.subarray(0, length), offset);
    return length;
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    this.#beforeWrite(offset, bytes.length);
    this.#file.writeSync(bytes, offset);
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    this.#beforeWrite(offset, bytes.length);
    await this.#file.write(bytes, offset);
  }

  async sync(): Promise<void> {
    this.#checkPoison();
    const [code, errno] = this.#disk.strikes('no-space-sync', this.path, 0, Infinity) ? (['NO_SPACE', 'ENOSPC'] as const)
      : this.#disk.strikes('sync-error', this.path, 0, Infinity) ? (['SYNC_FAILED', 'EIO'] as const) : [];
    if (code !== undefined) {
      this.#state.poison = new DiskError(code, `${this.path}: ${errno} (injected)`, { path: this.path, errno });
      this.#state.lost.push(...this.#state.undo.splice(0));
      throw this.#state.poison;
    }
    await this.#file.sync();
    this.#state.undo = [];
  }

  async truncate(size: number): Promise<void> {
    this.#checkPoison();
    await this.#file.truncate(size);
  }

  close(): void {
    this.#file.close();
    this.#disk.openFiles--;
  }

  #checkPoison(): void {
    if (this.#state.poison === undefined) return;
    this.#disk.retried.push(this.path);
    throw this.#state.poison;
  }

  #beforeWrite(offset: number, length: number): void {
    this.#checkPoison();
    this.#disk.check('write-error', this.path, 'WRITE_FAILED', 'EIO', offset, length);
    this.#disk.check('no-space-in-place', this.path, 'NO_SPACE', 'ENOSPC', offset, length);
    const size = this.#file.size();
    if (offset + length > size) this.#disk.check('no-space', this.path, 'NO_SPACE', 'ENOSPC');
    if (!this.#disk.mayLose(this.path)) return;
    const old = new Uint8Array(length);
    const found = this.#file.readSync(old, offset);
    this.#state.undo.push({ offset, bytes: old.subarray(0, found), size });
  }
}

function live(rule: Rule): boolean {
  return rule.hits < (rule.fault.times ?? Infinity);
}

function matches(fault: Fault, path: string): boolean {
  if (typeof fault.path === 'function') return fault.path(path);
  const wanted = normalPath(fault.path);
  const name = normalPath(path);
  return wanted === '' || name === wanted || name.startsWith(`${wanted}/`);
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
