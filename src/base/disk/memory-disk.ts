/**
 * A disk in memory: deterministic, never fails, knows nothing of crashes. Names point to nodes, so
 * hard links share contents and an open file outlives its name, as on a real disk.
 */

import { assert } from '../assert.js';
import type { DirectRead, Disk, DiskFile, OpenMode } from '../disk.js';
import { DiskError } from '../errors.js';

const SMALLEST_CAPACITY = 4096;

/** Contents that grow; bytes between the size and a later write are zero. */
export class MemoryNode {
  readonly id: number;
  #bytes = new Uint8Array(0);
  #size = 0;

  constructor(id: number) {
    this.id = id;
  }

  get size(): number {
    return this.#size;
  }

  /** A view, valid until the next change. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#size);
  }

  read(into: Uint8Array, offset: number): number {
    const length = Math.max(0, Math.min(into.length, this.#size - offset));
    if (length > 0) into.set(this.#bytes.subarray(offset, offset + length));
    return length;
  }

  write(bytes: Uint8Array, offset: number): void {
    const end = offset + bytes.length;
    if (end > this.#size) this.resize(end);
    this.#bytes.set(bytes, offset);
  }

  resize(size: number): void {
    if (size > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(size, this.#bytes.length * 2, SMALLEST_CAPACITY));
      grown.set(this.#bytes.subarray(0, this.#size));
      this.#bytes = grown;
    } else if (size < this.#size) {
      this.#bytes.fill(0, size, this.#size);
    }
    this.#size = size;
  }
}

/** One name; `node` undefined: it goes away. */
export interface NameChange {
  readonly path: string;
  readonly node: MemoryNode | undefined;
}

/** A change of the disk, before it happens. */
export type MemoryChange =
  | { readonly kind: 'write'; readonly node: MemoryNode; readonly bytes: Uint8Array; readonly offset: number }
  | { readonly kind: 'resize'; readonly node: MemoryNode; readonly size: number }
  | { readonly kind: 'sync'; readonly node: MemoryNode }
  /** One step: all of them or none. */
  | { readonly kind: 'names'; readonly changes: readonly NameChange[] }
  | { readonly kind: 'sync-dir'; readonly dir: string };

/** Told of every change before it happens, which it may prevent by throwing. */
export interface MemoryObserver {
  onChange(change: MemoryChange): void;
}

export class MemoryDisk implements Disk {
  readonly #observer: MemoryObserver | undefined;
  #names = new Map<string, MemoryNode>();
  #dirs = new Set<string>(['']);
  #nextId = 1;
  #epoch = 0;

  constructor(observer?: MemoryObserver) {
    this.#observer = observer;
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    const name = normalPath(path);
    let node = this.#names.get(name);
    if (this.#dirs.has(name)) throw new DiskError('IO', `${path} is a directory`, { path, errno: 'EISDIR' });
    if (node === undefined) {
      if (mode === 'read' || mode === 'write') throw notFound(path);
      this.#needDir(name);
      node = new MemoryNode(this.#nextId++);
      this.#setNames([{ path: name, node }]);
    } else if (mode === 'create') {
      this.#observer?.onChange({ kind: 'resize', node: node, size: 0 });
      node.resize(0);
    }
    return new MemoryFile(this, name, node, mode !== 'read', this.#epoch, this.#observer);
  }

  async open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.openSync(path, mode);
  }

  sizeOf(path: string): number | undefined {
    return this.#names.get(normalPath(path))?.size;
  }

  async readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
    const node = this.#names.get(normalPath(path));
    if (node === undefined) throw notFound(path);
    const bytes = new Uint8Array(Math.max(0, Math.min(length, node.size - offset)));
    node.read(bytes, offset);
    return { bytes, pastCache: true };
  }

  async list(dir: string): Promise<string[]> {
    const prefix = dirPrefix(normalPath(dir));
    const found = new Set<string>();
    for (const name of [...this.#names.keys(), ...this.#dirs]) {
      if (name !== '' && name.startsWith(prefix)) found.add((name.slice(prefix.length).split('/')[0]) as string);
    }
    found.delete('');
    return [...found].sort();
  }

  async mkdir(dir: string): Promise<void> {
    const parts = normalPath(dir).split('/').filter((part) => part !== '');
    for (let i = 1; i <= parts.length; i++) {
      const path = parts.slice(0, i).join('/');
      if (this.#names.has(path)) throw new DiskError('EXISTS', `${path} is a file`, { path, errno: 'EEXIST' });
      this.#dirs.add(path);
    }
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [normalPath(from), normalPath(to)];
    const node = this.#names.get(source);
    if (node === undefined) throw notFound(from);
    this.#needDir(target);
    // Two names of one file: POSIX leaves both alone.
    if (this.#names.get(target) === node) return;
    this.#setNames([{ path: target, node }, { path: source, node: undefined }]);
  }

  async link(from: string, to: string): Promise<void> {
    const node = this.#names.get(normalPath(from));
    if (node === undefined) throw notFound(from);
    this.#needDir(normalPath(to));
    this.#setNames([{ path: normalPath(to), node }]);
  }

  async unlink(path: string): Promise<void> {
    const name = normalPath(path);
    if (this.#names.has(name)) this.#setNames([{ path: name, node: undefined }]);
  }

  async syncDir(dir: string): Promise<void> {
    const name = normalPath(dir);
    if (!this.#dirs.has(name)) throw notFound(dir);
    this.#observer?.onChange({ kind: 'sync-dir', dir: name });
  }

  /** The node behind a name: for fault injection and tests. */
  node(path: string): MemoryNode | undefined {
    return this.#names.get(normalPath(path));
  }

  /** All file names, sorted: for fault injection and tests. */
  files(): string[] {
    return [...this.#names.keys()].sort();
  }

  /** Whether files opened in `epoch` still work. */
  isCurrent(epoch: number): boolean {
    return epoch === this.#epoch;
  }

  /** Power loss: the names are what `names` says, and every open file is dead. */
  restart(names: ReadonlyMap<string, MemoryNode>): void {
    this.#names = new Map(names);
    this.#epoch++;
  }

  #setNames(changes: readonly NameChange[]): void {
    this.#observer?.onChange({ kind: 'names', changes: changes });
    for (const { path, node } of changes) {
      if (node === undefined) this.#names.delete(path);
      else this.#names.set(path, node);
    }
  }

  #needDir(name: string): void {
    if (!this.#dirs.has(parentOf(name))) throw notFound(parentOf(name));
  }
}

class MemoryFile implements DiskFile {
  readonly path: string;
  readonly #disk: MemoryDisk;
  readonly #node: MemoryNode;
  readonly #writable: boolean;
  readonly #epoch: number;
  readonly #observer: MemoryObserver | undefined;
  #open = true;

  constructor(disk: MemoryDisk, path: string, node: MemoryNode, writable: boolean, epoch: number, observer?: MemoryObserver) {
    this.#disk = disk;
    this.path = path;
    this.#node = node;
    this.#writable = writable;
    this.#epoch = epoch;
    this.#observer = observer;
  }

  size(): number {
    this.#check();
    return this.#node.size;
  }

  readSync(into: Uint8Array, offset: number): number {
    this.#check();
    return this.#node.read(into, offset);
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    return this.readSync(into, offset);
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    this.#check();
    this.#checkWritable();
    this.#observer?.onChange({ kind: 'write', node: this.#node, bytes: bytes, offset: offset });
    this.#node.write(bytes, offset);
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    this.writeSync(bytes, offset);
  }

  async sync(): Promise<void> {
    this.#check();
    this.#observer?.onChange({ kind: 'sync', node: this.#node });
  }

  async truncate(size: number): Promise<void> {
    this.#check();
    this.#checkWritable();
    this.#observer?.onChange({ kind: 'resize', node: this.#node, size: size });
    this.#node.resize(size);
  }

  close(): void {
    assert(this.#open, `${this.path} is closed twice`);
    this.#open = false;
  }

  #check(): void {
    if (!this.#open || !this.#disk.isCurrent(this.#epoch)) {
      throw new DiskError('CLOSED', `${this.path} is closed`, { path: this.path });
    }
  }

  #checkWritable(): void {
    if (!this.#writable) throw new DiskError('WRITE_FAILED', `${this.path} is open for reading`, { path: this.path, errno: 'EBADF' });
  }
}

/** Nearly every path: no part is empty or begins with a dot. */
const NORMAL = /^[^/.][^/]*(?:\/[^/.][^/]*)*$/;

/** Without empty and '.' parts; the data directory itself is ''. */
export function normalPath(path: string): string {
  if (NORMAL.test(path)) return path;
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  assert(!parts.includes('..'), `a path stays inside the data directory: ${path}`);
  return parts.join('/');
}

export function parentOf(name: string): string {
  const slash = name.lastIndexOf('/');
  return slash < 0 ? '' : name.slice(0, slash);
}

function dirPrefix(dir: string): string {
  return dir === '' ? '' : `${dir}/`;
}

function notFound(path: string): DiskError {
  return new DiskError('NOT_FOUND', `${path}: no such file`, { path, errno: 'ENOENT' });
}
