/** A disk in memory whose syncs take as long as they are told to. */

import type { DiskFile, OpenMode } from '../../disk.js';
import { sleep, type Clock } from '../../env.js';
import { MemoryDisk } from '../memory-disk.js';

export class SlowDisk extends MemoryDisk {
  readonly #clock: Clock;
  /** Of each sync that begins from now on. */
  syncMs = 0;
  /** While it is there, no sync ends. */
  stall: Promise<void> | undefined;

  constructor(clock: Clock) {
    super();
    this.#clock = clock;
  }

  override openSync(path: string, mode: OpenMode): DiskFile {
    return new SlowFile(this, super.openSync(path, mode), this.#clock);
  }
}

class SlowFile implements DiskFile {
  readonly path: string;
  readonly #disk: SlowDisk;
  readonly #file: DiskFile;
  readonly #clock: Clock;

  constructor(disk: SlowDisk, file: DiskFile, clock: Clock) {
    this.#disk = disk;
    this.#file = file;
    this.#clock = clock;
    this.path = file.path;
  }

  size(): number {
    return this.#file.size();
  }

  readSync(into: Uint8Array, offset: number): number {
    return this.#file.readSync(into, offset);
  }

  read(into: Uint8Array, offset: number): Promise<number> {
    return this.#file.read(into, offset);
  }

  writeSync(bytes: Uint8Array, offset: number): void {
    this.#file.writeSync(bytes, offset);
  }

  write(bytes: Uint8Array, offset: number): Promise<void> {
    return this.#file.write(bytes, offset);
  }

  async sync(): Promise<void> {
    const { syncMs, stall } = this.#disk;
    if (syncMs > 0) await sleep(this.#clock, syncMs);
    await stall;
    await this.#file.sync();
  }

  truncate(size: number): Promise<void> {
    return this.#file.truncate(size);
  }

  close(): void {
    this.#file.close();
  }
}
