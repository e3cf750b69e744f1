/**
 * Reads that the page cache cannot answer. O_DIRECT wants page-aligned memory, which a Buffer is
 * not and a WebAssembly.Memory is. Where the system refuses (EINVAL) or only pretends (tmpfs has no
 * disk behind it), the bytes come from a plain read and say so: a caller must never take them for
 * what is on the medium.
 */

import { constants, promises as fs } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import type { DirectRead } from '../base/disk.js';

/** TypeScript knows it only from the browser's library. */
declare const WebAssembly: { readonly Memory: new (size: { initial: number; maximum: number }) => { readonly buffer: ArrayBuffer } };

const ALIGN = 4096;
const CHUNK = 1024 * 1024;
const PAGE = 64 * 1024;
/** Reads at once: each holds one buffer of 1 MiB; more wait in line. */
const MAX_BUFFERS = 4;
const TMPFS = 0x01021994;
const RAMFS = 0x858458f6;

class AlignedPool {
  readonly #free: Uint8Array[] = [];
  readonly #waiting: ((buffer: Uint8Array) => void)[] = [];
  #made = 0;

  take(): Promise<Uint8Array> {
    const buffer = this.#free.pop();
    if (buffer !== undefined) return Promise.resolve(buffer);
    if (this.#made < MAX_BUFFERS) {
      this.#made++;
      return Promise.resolve(new Uint8Array(new WebAssembly.Memory({ initial: CHUNK / PAGE, maximum: CHUNK / PAGE }).buffer));
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  give(buffer: Uint8Array): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(buffer);
    else next(buffer);
  }
}

export class DirectReader {
  readonly #pool = new AlignedPool();
  readonly #root: string;
  #supported: Promise<boolean> | undefined;

  constructor(root: string) {
    this.#root = root;
  }

  /** Throws what the system throws. */
  async read(path: string, offset: number, length: number): Promise<DirectRead> {
    this.#supported ??= hasMedium(this.#root);
    if (await this.#supported) {
      const bytes = await this.#readPastCache(path, offset, length);
      if (bytes !== undefined) return { bytes, pastCache: true };
    }
    return { bytes: await readPlain(path, offset, length), pastCache: false };
  }

  /** Undefined where O_DIRECT is refused. */
  async #readPastCache(path: string, offset: number, length: number): Promise<Uint8Array | undefined> {
    let handle: FileHandle | undefined;
    const buffer = await this.#pool.take();
    try {
      handle = await fs.open(path, constants.O_RDONLY | constants.O_DIRECT);
      const end = Math.min(offset + length, (await handle.stat()).size);
      const out = new Uint8Array(Math.max(0, end - offset));
      let done = 0;
      while (done < out.length) {
        const at = offset + done;
        const start = at - (at % ALIGN);
        const wanted = Math.min(CHUNK, Math.ceil((end - start) / ALIGN) * ALIGN);
        const { bytesRead } = await handle.read(buffer, 0, wanted, start);
        const usable = Math.min(start + bytesRead, end) - at;
        if (usable <= 0) return out.slice(0, done);
        out.set(buffer.subarray(at - start, at - start + usable), done);
        done += usable;
      }
      return out;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EINVAL') return undefined;
      throw error;
    } finally {
      this.#pool.give(buffer);
      await handle?.close();
    }
  }
}

async function hasMedium(root: string): Promise<boolean> {
  if (constants.O_DIRECT === undefined) return false;
  const { type } = await fs.statfs(root);
  return type !== TMPFS && type !== RAMFS;
}

async function readPlain(path: string, offset: number, length: number): Promise<Uint8Array> {
  const handle = await fs.open(path, 'r');
  try {
    const out = new Uint8Array(Math.max(0, Math.min(length, (await handle.stat()).size - offset)));
    let done = 0;
    while (done < out.length) {
      const { bytesRead } = await handle.read(out, done, out.length - done, offset + done);
      if (bytesRead === 0) return out.slice(0, done);
      done += bytesRead;
    }
    return out;
  } finally {
    await handle.close();
  }
}
