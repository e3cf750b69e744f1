/**
 * Room on the disk that is kept for the day on which there is none: a file of the size of a log
 * segment that holds nothing. A full disk can be emptied only by writing: a flush and a new
 * manifest come before the log may drop what they hold, and a compaction before its inputs go. So
 * the reserve is let go of when the tree finds no room, and made again when there is.
 *
 * It is a file of its own, not recycled log segments, because the log must never need it: a log
 * that takes what the flush was to get can be shortened by nobody.
 *
 * Room is there again only when the reserve, and as much once more, could be written: a disk with
 * just enough would be full again with the next flush.
 */

import type { Disk } from '../../base/disk.js';
import { codeOf } from '../../base/errors.js';
import { MiB } from '../../base/bytes.js';

export const RESERVE_PATH = 'reserve';
const PROBE_PATH = 'reserve.tmp';
const WRITE_BYTES = MiB;

export class Reserve {
  readonly #disk: Disk;
  readonly #bytes: number;
  /** One thing at a time is done to the files. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(disk: Disk, bytes: number) {
    this.#disk = disk;
    this.#bytes = bytes;
  }

  /** All of it is on the disk. */
  get isWhole(): boolean {
    return this.#disk.sizeOf(RESERVE_PATH) === this.#bytes;
  }

  /** True: the reserve is on the disk, and so much again could be. False: nothing of it is left. */
  regain(): Promise<boolean> {
    return this.#inTurn(async () => {
      try {
        if (!this.isWhole) await this.#occupy(RESERVE_PATH);
        await this.#occupy(PROBE_PATH);
        await this.#disk.unlink(PROBE_PATH);
        return true;
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        await this.#remove();
        return false;
      }
    });
  }

  /** Whoever was refused room may find it now. */
  release(): Promise<void> {
    return this.#inTurn(() => this.#remove());
  }

  /** When nothing is being done to the files. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  async #remove(): Promise<void> {
    for (const path of [PROBE_PATH, RESERVE_PATH]) await this.#disk.unlink(path).catch(unlessTyped);
  }

  /** A file that is too short is not one: after a crash it is made anew. */
  async #occupy(path: string): Promise<void> {
    await this.#disk.unlink(path);
    const file = await this.#disk.open(path, 'create');
    try {
      const bytes = incompressible(Math.min(WRITE_BYTES, this.#bytes));
      for (let at = 0; at < this.#bytes; at += bytes.length) {
        await file.write(bytes.subarray(0, Math.min(bytes.length, this.#bytes - at)), at);
      }
      await file.sync();
    } finally {
      file.close();
    }
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }
}

/** For a start that finds no room. True: there was a reserve, and it may be tried again. */
export async function giveUpReserve(disk: Disk): Promise<boolean> {
  const there = disk.sizeOf(RESERVE_PATH) !== undefined || disk.sizeOf(PROBE_PATH) !== undefined;
  for (const path of [PROBE_PATH, RESERVE_PATH]) await disk.unlink(path);
  return there;
}

/** A file system that compresses must give it all of its room. */
function incompressible(length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = 0x9e3779b9;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

function unlessTyped(error: unknown): void {
  if (codeOf(error) === undefined) throw error;
}
