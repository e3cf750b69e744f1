/**
 * Says to members that were started with {@link BadDisks.binary} what their disks do (see
 * `bad-disk.mjs`): from the next call on, in all of them whose files a fault names.
 */

import { renameSync, writeFileSync } from 'node:fs';
import { kintsugi, type Binary } from '../../scripts/lib/binary.js';

/** The calls of one kind on files whose whole path has a match of `path`. */
export interface DiskFault {
  readonly path: RegExp;
  readonly call: 'open' | 'read' | 'write' | 'sync';
  /** What they fail with. Without it they are late. */
  readonly errno?: 'EIO' | 'ENOSPC' | 'EROFS';
  /** By so much; until the fault is taken back, if it is not said. */
  readonly delayMs?: number;
  /** In each process the first ones alone. */
  readonly times?: number;
  /** Of opens those to write, too. */
  readonly toWrite?: true;
  /** Of writes those that want more room than the file has. */
  readonly grows?: true;
  /** Of reads and writes those that touch these bytes of the file. */
  readonly from?: number;
  readonly to?: number;
}

const PRELOAD = new URL('bad-disk.mjs', import.meta.url);

export class BadDisks {
  readonly binary: Binary;
  readonly #file: string;
  #number = 0;

  /** `file`: where what is said is written. */
  constructor(file: string, { args, ...program }: Binary = kintsugi()) {
    this.#file = file;
    const preload = new URL(PRELOAD);
    preload.searchParams.set('faults', file);
    this.binary = { ...program, args: ['--import', preload.href, ...args] };
  }

  /** In the place of those before. None: all disks are well. */
  are(...faults: readonly DiskFault[]): void {
    const said = faults.map((fault) => ({ ...fault, path: fault.path.source, number: ++this.#number }));
    writeFileSync(`${this.#file}.tmp`, JSON.stringify(said));
    renameSync(`${this.#file}.tmp`, this.#file);
  }
}
