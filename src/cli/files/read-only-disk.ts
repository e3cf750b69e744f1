/**
 * A data directory that is only looked at: it is not locked. A running node may change files
 * underneath, so what is read is a glimpse; {@link holderOf} tells whether one
 * does.
 */

import fs, { promises as fsp } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { DirectRead, DiskFile } from '../../base/disk.js';
import { normalPath } from '../../base/disk/memory-disk.js';
import { ReadOnlyDisk, ReadOnlyFile } from '../../base/disk/read-only.js';
import { DiskError, messageOf } from '../../base/errors.js';
import { DirectReader } from '../../server/direct-io.js';

function typed(error: unknown, path: string): DiskError {
  if (error instanceof DiskError) return error;
  const { code } = error as NodeJS.ErrnoException;
  return new DiskError(code === 'ENOENT' ? 'NOT_FOUND' : 'READ_FAILED', `${path}: ${messageOf(error)}`, { path, errno: code }, error);
}

class OpenedToRead extends ReadOnlyFile {
  readonly #fd: number;

  constructor(path: string, fd: number) {
    super(path);
    this.#fd = fd;
  }

  size(): number {
    return fs.fstatSync(this.#fd).size;
  }

  readSync(into: Uint8Array, offset: number): number {
    try {
      let done = 0;
      for (let n = 1; done < into.length && n > 0; done += n) n = fs.readSync(this.#fd, into, done, into.length - done, offset + done);
      return done;
    } catch (error) {
      throw typed(error, this.path);
    }
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}

export class ReadOnlyDir extends ReadOnlyDisk {
  readonly dir: string;
  readonly #direct: DirectReader;

  constructor(dir: string) {
    super();
    this.dir = dir;
    this.#direct = new DirectReader(dir);
  }

  protected openToRead(path: string): DiskFile {
    try {
      return new OpenedToRead(path, fs.openSync(this.#at(path), 'r'));
    } catch (error) {
      throw typed(error, path);
    }
  }

  sizeOf(path: string): number | undefined {
    const stat = fs.statSync(this.#at(path), { throwIfNoEntry: false });
    return stat?.isFile() === true ? stat.size : undefined;
  }

  async readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
    try {
      return await this.#direct.read(this.#at(path), offset, length);
    } catch (error) {
      throw typed(error, path);
    }
  }

  async list(dir: string): Promise<string[]> {
    return (await fsp.readdir(this.#at(dir)).catch(() => [])).sort();
  }

  #at(path: string): string {
    return join(this.dir, normalPath(path));
  }
}

/**
 * Who has the data directory: words for people; undefined: nobody. It asks the lock's socket (see
 * server/dir-lock) without taking the lock, so that a node that starts meanwhile is not turned
 * away.
 */
export async function holderOf(dir: string): Promise<string | undefined> {
  const { dev, ino } = fs.statSync(dir);
  if (process.platform === 'linux' && !(await answers(`\0kintsugi-${dev}-${ino}`))) return undefined;
  try {
    const { pid } = JSON.parse(fs.readFileSync(join(dir, 'LOCK'), 'utf8')) as { pid?: unknown };
    if (typeof pid === 'number' && (process.platform === 'linux' || isAlive(pid))) return `process ${pid}`;
  } catch {
    // No LOCK file, or it is being written.
  }
  return process.platform === 'linux' ? 'another process' : undefined;
}

function answers(socketName: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(socketName, () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
