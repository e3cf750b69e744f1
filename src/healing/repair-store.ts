/**
 * Payloads of blocks that came from peers, kept in `<data-dir>/repairs/` until the heal that makes them superfluous is done,
 * so that a restart with the peers away can still read them. Named by what the bytes are, (file digest, offset), so they
 * survive a table's change of id. Every one carries a checksum here and is judged again by the reader's digest (S4).
 *
 * Both memory and disk are bounded: beyond the bound of the disk a repair lives in memory alone, and beyond that it is
 * fetched again.
 */

import { ByteReader, ByteWriter, MiB } from '../base/bytes.js';
import { crc32c } from '../base/crc32c.js';
import { CodecError, codeOf, messageOf } from '../base/errors.js';
import type { Env } from '../base/env.js';
import type { Digest128 } from '../base/ids.js';
import { readDigest, writeDigest } from '../replica/fetch/table-wire.js';

export const REPAIRS_DIR = 'repairs';
const MAGIC = 0x3152_504b;

export interface RepairStoreOptions {
  /** Default 256 MiB. */
  readonly maxDiskBytes?: number;
  /** Default 16 MiB. */
  readonly maxMemoryBytes?: number;
}

interface Stored {
  readonly fileDigest: Digest128;
  readonly offset: number;
  readonly bytes: number;
}

function keyOf(fileDigest: Digest128, offset: number): string {
  return `${fileDigest}-${offset}`;
}

function encodeRepair(fileDigest: Digest128, offset: number, payload: Uint8Array): Uint8Array {
  const out = new ByteWriter(payload.length + 48).u32(MAGIC);
  writeDigest(out, fileDigest);
  out.u53(offset).u32(payload.length).raw(payload);
  return out.u32(crc32c(out.view())).finish();
}

function decodeRepair(bytes: Uint8Array): { fileDigest: Digest128; offset: number; payload: Uint8Array } {
  const input = new ByteReader(bytes, 'repaired block');
  if (input.u32() !== MAGIC) throw new CodecError('repaired block: wrong magic');
  const fileDigest = readDigest(input);
  const offset = input.u53();
  const payload = input.raw(input.u32());
  const end = input.offset;
  if (input.u32() !== crc32c(bytes, 0, 0, end)) throw new CodecError('repaired block: wrong checksum');
  input.end();
  return { fileDigest, offset, payload };
}

export class RepairStore {
  readonly #env: Env;
  readonly #maxDiskBytes: number;
  readonly #maxMemoryBytes: number;
  readonly #stored = new Map<string, Stored>();
  /** Oldest use first. */
  readonly #memory = new Map<string, Uint8Array>();
  #diskBytes = 0;
  #memoryBytes = 0;

  constructor(env: Env, options: RepairStoreOptions = {}) {
    this.#env = env;
    this.#maxDiskBytes = options.maxDiskBytes ?? 256 * MiB;
    this.#maxMemoryBytes = options.maxMemoryBytes ?? 16 * MiB;
  }

  /** Takes stock of what this node kept. Reads find it without that; bounds and clean-up need it. */
  async load(): Promise<void> {
    const { disk } = this.#env;
    await disk.mkdir(REPAIRS_DIR);
    await disk.syncDir('.');
    for (const name of await disk.list(REPAIRS_DIR)) {
      if (this.#stored.has(name)) continue;
      const path = `${REPAIRS_DIR}/${name}`;
      const size = disk.sizeOf(path);
      const repair = name.endsWith('.tmp') ? undefined : this.#read(path);
      if (repair === undefined || size === undefined || keyOf(repair.fileDigest, repair.offset) !== name) {
        await disk.unlink(path).catch(() => undefined);
        continue;
      }
      this.#stored.set(name, { fileDigest: repair.fileDigest, offset: repair.offset, bytes: size });
      this.#diskBytes += size;
    }
  }

  get size(): number {
    return this.#stored.size;
  }

  get empty(): boolean {
    return this.#stored.size === 0 && this.#memory.size === 0;
  }

  has(fileDigest: Digest128, offset: number): boolean {
    const key = keyOf(fileDigest, offset);
    return this.#memory.has(key) || this.#stored.has(key);
  }

  /** Synchronous, because a read of a block is. Undefined if it was never repaired or the repair is damaged itself. */
  get(fileDigest: Digest128, offset: number): Uint8Array | undefined {
    const key = keyOf(fileDigest, offset);
    const inMemory = this.#memory.get(key);
    if (inMemory !== undefined) {
      this.#memory.delete(key);
      this.#memory.set(key, inMemory);
      return inMemory;
    }
    const path = `${REPAIRS_DIR}/${key}`;
    if (this.#env.disk.sizeOf(path) === undefined) return undefined;
    const repair = this.#read(path);
    if (repair === undefined || keyOf(repair.fileDigest, repair.offset) !== key) {
      this.#diskBytes -= this.#stored.get(key)?.bytes ?? 0;
      this.#stored.delete(key);
      return undefined;
    }
    this.#remember(key, repair.payload);
    return repair.payload;
  }

  /** Usable at once; resolves when durable, or when it stays in memory because the disk refused or is full. */
  async put(fileDigest: Digest128, offset: number, payload: Uint8Array): Promise<void> {
    const key = keyOf(fileDigest, offset);
    this.#remember(key, payload.slice());
    const bytes = encodeRepair(fileDigest, offset, payload);
    if (this.#stored.has(key) || this.#diskBytes + bytes.length > this.#maxDiskBytes) return;
    const path = `${REPAIRS_DIR}/${key}`;
    const { disk, events } = this.#env;
    try {
      const file = await disk.open(`${path}.tmp`, 'create');
      try {
        await file.write(bytes, 0);
        await file.sync();
      } finally {
        file.close();
      }
      await disk.rename(`${path}.tmp`, path);
      await disk.syncDir(REPAIRS_DIR);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      events.emit({ type: 'warning', message: 'a repaired block could not be kept on disk', data: { path, why: messageOf(error) } });
      return;
    }
    this.#stored.set(key, { fileDigest, offset, bytes: bytes.length });
    this.#diskBytes += bytes.length;
  }

  /** Drops all repairs of files for which `keep` is false. */
  async retain(keep: (fileDigest: Digest128) => boolean): Promise<void> {
    for (const [key, payload] of this.#memory) {
      if (keep(key.slice(0, key.indexOf('-')))) continue;
      this.#memory.delete(key);
      this.#memoryBytes -= payload.length;
    }
    for (const [key, stored] of [...this.#stored]) {
      if (keep(stored.fileDigest)) continue;
      this.#stored.delete(key);
      this.#diskBytes -= stored.bytes;
      await this.#env.disk.unlink(`${REPAIRS_DIR}/${key}`).catch(() => undefined);
    }
  }

  #remember(key: string, payload: Uint8Array): void {
    this.#memoryBytes += payload.length - (this.#memory.get(key)?.length ?? 0);
    this.#memory.delete(key);
    this.#memory.set(key, payload);
    for (const [oldest, bytes] of this.#memory) {
      if (this.#memoryBytes <= this.#maxMemoryBytes || oldest === key) break;
      this.#memory.delete(oldest);
      this.#memoryBytes -= bytes.length;
    }
  }

  #read(path: string): { fileDigest: Digest128; offset: number; payload: Uint8Array } | undefined {
    try {
      const file = this.#env.disk.openSync(path, 'read');
      try {
        const bytes = new Uint8Array(file.size());
        return decodeRepair(bytes.subarray(0, file.readSync(bytes, 0)));
      } finally {
        file.close();
      }
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return undefined;
    }
  }
}
