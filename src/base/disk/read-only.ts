/**
 * A disk that is only looked at: nothing here can write, lock or create. Whoever makes one says how
 * it is read.
 */

import type { DirectRead, Disk, DiskFile, OpenMode } from '../disk.js';
import { DiskError } from '../errors.js';

function refuse(path: string): Promise<never> {
  return Promise.reject(refusal(path));
}

function refusal(path: string): DiskError {
  return new DiskError('WRITE_FAILED', `${path} is only looked at, and never written`, { path });
}

export abstract class ReadOnlyFile implements DiskFile {
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  abstract size(): number;
  abstract readSync(into: Uint8Array, offset: number): number;
  abstract close(): void;

  read(into: Uint8Array, offset: number): Promise<number> {
    return new Promise((resolve) => resolve(this.readSync(into, offset)));
  }

  writeSync(): void {
    throw refusal(this.path);
  }

  write(): Promise<void> {
    return refuse(this.path);
  }

  sync(): Promise<void> {
    return refuse(this.path);
  }

  truncate(): Promise<void> {
    return refuse(this.path);
  }
}

export abstract class ReadOnlyDisk implements Disk {
  abstract sizeOf(path: string): number | undefined;
  abstract readDirect(path: string, offset: number, length: number): Promise<DirectRead>;
  abstract list(dir: string): Promise<string[]>;
  /** Throws DiskError. */
  protected abstract openToRead(path: string): DiskFile;

  openSync(path: string, mode: OpenMode): DiskFile {
    if (mode !== 'read') throw refusal(path);
    return this.openToRead(path);
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return new Promise((resolve) => resolve(this.openSync(path, mode)));
  }

  mkdir(dir: string): Promise<void> {
    return refuse(dir);
  }

  rename(from: string): Promise<void> {
    return refuse(from);
  }

  link(from: string): Promise<void> {
    return refuse(from);
  }

  unlink(path: string): Promise<void> {
    return refuse(path);
  }

  syncDir(dir: string): Promise<void> {
    return refuse(dir);
  }
}
