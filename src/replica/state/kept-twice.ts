/**
 * A small file that a member cannot do without is kept twice: under its name, and under the name
 * with `.copy` behind it. Each is written whole and durably before the other is touched, the one
 * with the name first: so a crash leaves one that is sound, and the one with the name is never the
 * older. Either serves alone; the other is made anew from it, at a start and while the member runs.
 *
 * An older program knows only the file with the name, and leaves the copy as it was. So a copy that
 * is alone may be older than the rest of the directory: who reads it holds it against that.
 */

import { equalBytes } from '../../base/bytes.js';
import type { Disk } from '../../base/disk.js';
import { CodecError, codeOf, messageOf } from '../../base/errors.js';
import { directoryOf, replaceFile } from '../../base/replace-file.js';

export interface KeptTwice<T> {
  readonly value: T;
  readonly bytes: Uint8Array;
  /** The file with the name is gone or bad. */
  readonly ofCopy: boolean;
  /** Both are there, and the same. */
  readonly isWhole: boolean;
}

/** No such file is larger: what is was damaged. */
const MAX_BYTES = 16 * 1024 * 1024;

export function copyOf(path: string): string {
  return `${path}.copy`;
}

/** Durable when it resolves. Rejects with DiskError: the one with the name may be the new one. */
export async function writeTwice(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  for (const name of [path, copyOf(path)]) await replaceFile(disk, name, bytes, { unlinkFirst: true });
}

/**
 * Undefined: there is none. `decode` throws CodecError for what is not sound; so does this if
 * neither is. What cannot be read is not sound.
 */
export async function readTwice<T>(disk: Disk, path: string, decode: (bytes: Uint8Array) => T): Promise<KeptTwice<T> | undefined> {
  const found: (Pick<KeptTwice<T>, 'value' | 'bytes'> | CodecError | undefined)[] = [];
  for (const name of [path, copyOf(path)]) found.push(await readOne(disk, name, decode));
  const [own, copy] = found;
  if (own !== undefined && !(own instanceof CodecError)) {
    const isWhole = copy !== undefined && !(copy instanceof CodecError) && equalBytes(own.bytes, copy.bytes);
    return { ...own, ofCopy: false, isWhole };
  }
  if (copy !== undefined && !(copy instanceof CodecError)) return { ...copy, ofCopy: true, isWhole: false };
  const why = own ?? copy;
  if (why !== undefined) throw why;
  return undefined;
}

async function readOne<T>(
  disk: Disk, name: string, decode: (bytes: Uint8Array) => T,
): Promise<Pick<KeptTwice<T>, 'value' | 'bytes'> | CodecError | undefined> {
  const size = disk.sizeOf(name);
  if (size === undefined) return undefined;
  if (size === 0 || size > MAX_BYTES) return new CodecError(`it has ${size} bytes`);
  try {
    const { bytes } = await disk.readDirect(name, 0, size);
    return { bytes, value: decode(bytes) };
  } catch (error) {
    if (error instanceof CodecError) return error;
    if (codeOf(error) === 'NOT_FOUND') return undefined;
    if (codeOf(error) === 'READ_FAILED') return new CodecError(messageOf(error));
    throw error;
  }
}

/** The copy first: what is left after a crash is what was there. Durable when it resolves. */
export async function removeTwice(disk: Disk, path: string): Promise<void> {
  for (const name of [copyOf(path), path]) {
    await disk.unlink(name);
    await disk.syncDir(directoryOf(path));
  }
}

export interface TwiceScrub {
  /** How many of the two were bad or gone. */
  readonly faulty: number;
  /** They still are, for this reason; undefined: both are good again. */
  readonly why?: string;
}

/**
 * Both while a member runs, which holds in memory what they say: so each can be made anew, and both
 * where both are gone. For a file that does not change meanwhile.
 */
export class TwiceKeeper {
  readonly path: string;
  readonly #disk: Disk;
  readonly #bytes: Uint8Array;

  constructor(disk: Disk, path: string, bytes: Uint8Array) {
    this.#disk = disk;
    this.path = path;
    this.#bytes = bytes;
  }

  /** Looks at both past the caches, twice where one is bad, and makes anew what still is. */
  async scrub(): Promise<TwiceScrub> {
    let faulty = 0;
    try {
      for (const name of [this.path, copyOf(this.path)]) {
        if ((await this.#isGood(name)) || (await this.#isGood(name))) continue;
        faulty++;
        await replaceFile(this.#disk, name, this.#bytes, { unlinkFirst: true });
      }
      return { faulty };
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return { faulty: Math.max(1, faulty), why: messageOf(error) };
    }
  }

  async #isGood(name: string): Promise<boolean> {
    const found = await readOne(this.#disk, name, (bytes) => equalBytes(bytes, this.#bytes));
    return found !== undefined && !(found instanceof CodecError) && found.value;
  }
}
