/**
 * The two files of a generation. `manifest/<generation>` holds two copies of each record, one right
 * behind the other; `manifest/<generation>.copy` holds a third one, a MiB further on in a file of
 * its own, so that damage of one region, or of one file as a whole, leaves a copy: stripes of up to
 * a MiB that miss every third never hit all three.
 *
 * D1 No other copy is begun before the first is durable: it is the one that a crash may tear, and
 * whatever is there of another proves that the record was durable. A record counts as written when
 * all three are.
 *
 * What an earlier build wrote has no third copies, and such a build drops the file: nothing depends
 * on it as long as the other is sound.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import { PAGE_BYTES } from './manifest-record.js';

export const MANIFEST_DIR = 'manifest';
/** Where in its file the third copy of a record lies, behind the place of the first. */
export const THIRD_COPY_AT = MiB;

/** `manifest/<generation>`. */
export function pathOf(generation: number): string {
  return `${MANIFEST_DIR}/${generation}`;
}

/** Of the file with the third copies of the file at `path`. */
export function thirdCopyPath(path: string): string {
  return `${path}.copy`;
}

/** Of which there is a file, ascending. Rejects with DiskError. */
export async function manifestGenerations(disk: Disk): Promise<number[]> {
  const numbers = (await disk.list(MANIFEST_DIR)).map((name) => Number(/^([1-9]\d{0,14})(\.copy)?$/.exec(name)?.[1] ?? 0));
  return [...new Set(numbers)].filter((number) => number > 0).sort((a, b) => a - b);
}

/** Open for writing. */
export class ManifestFiles {
  readonly #main: DiskFile;
  readonly #third: DiskFile;

  private constructor(main: DiskFile, third: DiskFile) {
    this.#main = main;
    this.#third = third;
  }

  /** Empty ones; what had their names is gone. */
  static async create(disk: Disk, generation: number): Promise<ManifestFiles> {
    await dropFiles(disk, generation);
    return ManifestFiles.#opened(disk, generation, 'create');
  }

  /** Rejects with DiskError. */
  static async open(disk: Disk, generation: number): Promise<ManifestFiles> {
    return ManifestFiles.#opened(disk, generation, 'write');
  }

  static async #opened(disk: Disk, generation: number, mode: 'create' | 'write'): Promise<ManifestFiles> {
    const path = pathOf(generation);
    const main = await disk.open(path, mode);
    try {
      return new ManifestFiles(main, await disk.open(thirdCopyPath(path), mode));
    } catch (error) {
      main.close();
      throw error;
    }
  }

  /** The copies of one record, of which the first begins at `offset`. */
  async write(first: Uint8Array, second: Uint8Array, offset: number): Promise<void> {
    assert(offset % PAGE_BYTES === 0 && first.length % PAGE_BYTES === 0, 'a copy of a record is whole pages: damage of one page hits one copy');
    await written(this.#main, first, offset);
    const others = await Promise.allSettled([
      written(this.#main, second, offset + first.length), written(this.#third, first, THIRD_COPY_AT + offset),
    ]);
    for (const other of others) if (other.status === 'rejected') throw other.reason;
  }

  close(): void {
    this.#main.close();
    this.#third.close();
  }
}

/** Those of one generation. */
export async function dropFiles(disk: Disk, generation: number): Promise<void> {
  await disk.unlink(pathOf(generation));
  await disk.unlink(thirdCopyPath(pathOf(generation)));
}

async function written(file: DiskFile, bytes: Uint8Array, offset: number): Promise<void> {
  await file.write(bytes, offset);
  await file.sync();
}
