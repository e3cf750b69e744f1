/**
 * The disk of a real process: a data directory that nobody else has. Point reads and log writes are
 * synchronous calls into the page cache (1 to 3 us, where a promise costs 20 to 35); what may take
 * long goes to the thread pool.
 */

import fs, { promises as fsp } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { assert } from '../base/assert.js';
import type { DirectRead, Disk, DiskFile, OpenMode } from '../base/disk.js';
import { normalPath } from '../base/disk/memory-disk.js';
import { DiskError, type DiskErrorCode } from '../base/errors.js';
import { DirectReader } from './direct-io.js';
import { lockDir, type DirLock } from './dir-lock.js';

const FLAGS: Readonly<Record<OpenMode, number>> = {
  read: fs.constants.O_RDONLY,
  write: fs.constants.O_RDWR,
  create: fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_TRUNC,
  'open-or-create': fs.constants.O_RDWR | fs.constants.O_CREAT,
};

export class NodeDisk implements Disk {
  readonly dir: string;
  readonly #lock: DirLock;
  readonly #direct: DirectReader;

  private constructor(dir: string, lock: DirLock) {
    this.dir = dir;
    this.#lock = lock;
    this.#direct = new DirectReader(dir);
  }

  /**
   * Creates the data directory if it is missing. Throws DiskError LOCKED if another process has it.
   */
  static async open(dir: string): Promise<NodeDisk> {
    try {
      const created = await fsp.mkdir(dir, { recursive: true, mode: 0o700 });
      if (created !== undefined) await syncNames(resolve(dir), dirname(resolve(created)));
      return new NodeDisk(dir, await lockDir(dir));
    } catch (error) {
      throw toDiskError(error, dir, 'IO');
    }
  }

  /** Gives the directory back. Files stay open. */
  close(): Promise<void> {
    return this.#lock.release();
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    try {
      return new NodeFile(path, fs.openSync(this.#at(path), FLAGS[mode], 0o600), mode !== 'read');
    } catch (error) {
      throw openFailed(error, path, mode);
    }
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new Promise((resolve, reject) => {
      fs.open(this.#at(path), FLAGS[mode], 0o600, (error, fd) => {
        if (error !== null) reject(openFailed(error, path, mode));
        else resolve(new NodeFile(path, fd, mode !== 'read'));
      });
    });
  }

  sizeOf(path: string): number | undefined {
    try {
      const stat = fs.statSync(this.#at(path), { throwIfNoEntry: false });
      return stat?.isFile() === true ? stat.size : undefined;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
      throw toDiskError(error, path, 'IO');
    }
  }

  async readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
    try {
      return await this.#direct.read(this.#at(path), offset, length);
    } catch (error) {
      throw toDiskError(error, path, 'READ_FAILED', offset);
    }
  }

  async list(dir: string): Promise<string[]> {
    try {
      return (await fsp.readdir(this.#at(dir))).sort();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
      throw toDiskError(error, dir, 'IO');
    }
  }

  mkdir(dir: string): Promise<void> {
    return typed(dir, async () => void (await fsp.mkdir(this.#at(dir), { recursive: true, mode: 0o700 })));
  }

  rename(from: string, to: string): Promise<void> {
    return typed(from, () => fsp.rename(this.#at(from), this.#at(to)));
  }

  /** Made under a name of its own and renamed, so that `to` is never missing. */
  link(from: string, to: string): Promise<void> {
    return typed(from, async () => {
      const target = this.#at(to);
      const between = `${target}.link`;
      await unlinkIfThere(between);
      await fsp.link(this.#at(from), between);
      await fsp.rename(between, target);
      // Renaming one name of a file onto another of its names does nothing: the first stays.
      await unlinkIfThere(between);
    });
  }

  unlink(path: string): Promise<void> {
    return typed(path, () => unlinkIfThere(this.#at(path)));
  }

  syncDir(dir: string): Promise<void> {
    return typed(dir, () => syncOneDir(this.#at(dir), dir));
  }

  #at(path: string): string {
    return join(this.dir, normalPath(path));
  }
}

class NodeFile implements DiskFile {
  readonly path: string;
  readonly #fd: number;
  readonly #writable: boolean;
  #open = true;
  #poison: DiskError | undefined;

  constructor(path: string, fd: number, writable: boolean) {
    this.path = path;
    this.#fd = fd;
    this.#writable = writable;
  }

  size(): number {
    this.#check();
    try {
      return fs.fstatSync(this.#fd).size;
    } catch (error) {
      throw toDiskError(error, this.path, 'IO');
    }
  }

  readSync(into: Uint8Array, offset: number): number {
    this.#check();
    try {
      let done = fs.readSync(this.#fd, into, 0, into.length, offset);
      while (done < into.length) {
        const n = fs.readSync(this.#fd, into, done, into.length - done, offset + done);
        if (n === 0) break;
        done += n;
      }
      return done;
    } catch (error) {
      throw toDiskError(error, this.path, 'READ_FAILED', offset);
    }
  }

  async read(into: Uint8Array, offset: number): Promise<number> {
    this.#check();
    let done = 0;
    while (done < into.length) {
      const n = await this.#readSome(into, done, offset);
      if (n === 0) break;
      done += n;
    }
    return done;
  }

  #readSome(into: Uint8Array, done: number, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.read(this.#fd, into, done, into.length - done, offset + done, (error, n) => {
        if (error !== null) reject(toDiskError(error, this.path, 'READ_FAILED', offset));
        else resolve(n);
      });
    });
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    this.#checkWrite();
    try {
      let done = fs.writeSync(this.#fd, bytes, 0, bytes.length, offset);
      while (done < bytes.length) done += fs.writeSync(this.#fd, bytes, done, bytes.length - done, offset + done);
    } catch (error) {
      throw toDiskError(error, this.path, 'WRITE_FAILED', offset);
    }
  }

  async write(bytes: Uint8Array, offset: number): Promise<void> {
    this.#checkWrite();
    let done = 0;
    while (done < bytes.length) done += await this.#writeSome(bytes, done, offset);
  }

  #writeSome(bytes: Uint8Array, done: number, offset: number): Promise<number> {
    return new Promise((resolve, reject) => {
      fs.write(this.#fd, bytes, done, bytes.length - done, offset + done, (error, n) => {
        if (error !== null) reject(toDiskError(error, this.path, 'WRITE_FAILED', offset));
        else resolve(n);
      });
    });
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#check();
      if (this.#poison !== undefined) throw this.#poison;
      fs.fdatasync(this.#fd, (error) => {
        if (error === null) return void resolve();
        this.#poison ??= toDiskError(error, this.path, 'SYNC_FAILED');
        reject(this.#poison);
      });
    });
  }

  truncate(size: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#checkWrite();
      fs.ftruncate(this.#fd, size, (error) => {
        if (error !== null) reject(toDiskError(error, this.path, 'WRITE_FAILED'));
        else resolve();
      });
    });
  }

  close(): void {
    assert(this.#open, `${this.path} is closed twice`);
    this.#open = false;
    try {
      fs.closeSync(this.#fd);
    } catch (error) {
      throw toDiskError(error, this.path, 'IO');
    }
  }

  #check(): void {
    if (!this.#open) throw new DiskError('CLOSED', `${this.path} is closed`, { path: this.path });
  }

  #checkWrite(): void {
    this.#check();
    if (this.#poison !== undefined) throw this.#poison;
    if (!this.#writable) throw new DiskError('WRITE_FAILED', `${this.path} is open for reading`, { path: this.path, errno: 'EBADF' });
  }
}

/** What says nothing of the file, but of this process and the system. */
const OUT_OF_RESOURCES = new Set(['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN', 'EINTR']);

/** A file that is there and cannot be opened for reading is as good as one that cannot be read. */
function openFailed(error: unknown, path: string, mode: OpenMode): DiskError {
  const { code } = error as NodeJS.ErrnoException;
  return toDiskError(error, path, mode === 'read' && code !== undefined && !OUT_OF_RESOURCES.has(code) ? 'READ_FAILED' : 'IO');
}

async function syncOneDir(dir: string, name: string): Promise<void> {
  const handle = await fsp.open(dir, 'r');
  try {
    await handle.sync();
  } catch (error) {
    throw toDiskError(error, name, 'SYNC_FAILED');
  } finally {
    await handle.close();
  }
}

/**
 * Makes the names on the way from `dir` up to `top` durable: a data directory that a power cut
 * forgets lost everything.
 */
async function syncNames(dir: string, top: string): Promise<void> {
  for (let parent = dirname(dir); parent.length >= top.length; parent = dirname(parent)) {
    await syncOneDir(parent, parent);
    if (parent === dirname(parent)) break;
  }
}

async function unlinkIfThere(path: string): Promise<void> {
  try {
    await fsp.unlink(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

async function typed<T>(path: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw toDiskError(error, path, 'IO');
  }
}

const BY_ERRNO: Readonly<Record<string, DiskErrorCode>> = {
  ENOENT: 'NOT_FOUND',
  EEXIST: 'EXISTS',
  ENOSPC: 'NO_SPACE',
  EDQUOT: 'NO_SPACE',
};

/**
 * `otherwise` is the code of an errno that says nothing special. What is not a system error is
 * passed on as it is.
 */
function toDiskError(error: unknown, path: string, otherwise: DiskErrorCode, offset?: number): DiskError {
  if (error instanceof DiskError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined) throw error;
  const data = offset === undefined ? { path, errno: code } : { path, offset, errno: code };
  return new DiskError(BY_ERRNO[code] ?? otherwise, `${path}: ${message}`, data, error);
}
