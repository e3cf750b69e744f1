/** A folder of a disk as a disk of its own: what is staged there has its paths as they will be. */

import type { DirectRead, Disk, DiskFile, OpenMode } from '../disk.js';

export class SubDisk implements Disk {
  readonly #disk: Disk;
  readonly #dir: string;

  constructor(disk: Disk, dir: string) {
    this.#disk = disk;
    this.#dir = dir;
  }

  openSync(path: string, mode: OpenMode): DiskFile {
    return this.#disk.openSync(this.#at(path), mode);
  }

  open(path: string, mode: OpenMode): Promise<DiskFile> {
    return this.#disk.open(this.#at(path), mode);
  }

  sizeOf(path: string): number | undefined {
    return this.#disk.sizeOf(this.#at(path));
  }

  readDirect(path: string, offset: number, length: number): Promise<DirectRead> {
    return this.#disk.readDirect(this.#at(path), offset, length);
  }

  list(dir: string): Promise<string[]> {
    return this.#disk.list(this.#at(dir));
  }

  mkdir(dir: string): Promise<void> {
    return this.#disk.mkdir(this.#at(dir));
  }

  rename(from: string, to: string): Promise<void> {
    return this.#disk.rename(this.#at(from), this.#at(to));
  }

  link(from: string, to: string): Promise<void> {
    return this.#disk.link(this.#at(from), this.#at(to));
  }

  unlink(path: string): Promise<void> {
    return this.#disk.unlink(this.#at(path));
  }

  syncDir(dir: string): Promise<void> {
    return this.#disk.syncDir(this.#at(dir));
  }

  #at(path: string): string {
    return path === '' || path === '.' ? this.#dir : `${this.#dir}/${path}`;
  }
}
