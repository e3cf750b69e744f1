/**
 * Payloads of blocks that came from peers, kept in `<data-dir>/repairs/` until the heal that makes
 * them superfluous is done, so that a restart with the peers away can still read them. Named by
 * what the bytes are, (file digest, offset), so they survive a table's change of id; when they go
 * is the repair keeper's to say. Every one carries a checksum here and is judged again by the
 * reader's digest (S4).
 *
 * Both memory and disk are bounded: beyond the bound of the disk a repair lives in memory alone,
 * and beyond that it is fetched again.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter, MiB } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { readDigest, writeDigest } from '../../base/digest.js';
import { CodecError, codeOf, messageOf } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { Digest128 } from '../../base/ids.js';

export const REPAIRS_DIR = 'repairs';
const MAGIC = 0x3152_504b;

export interface RepairStoreOptions {
  /** Default 256 MiB. */
  readonly maxDiskBytes?: number;
  /** Default 16 MiB. */
  readonly maxMemoryBytes?: number;
}

/** When the repairs of a file were last of use. */
interface Use {
  readonly at: number;
  readonly puts: number;
}

function keyOf(fileDigest: Digest128, offset: number): string {
  return `${fileDigest}-${offset}`;
}

function digestOf(key: string): Digest128 {
  return key.slice(0, key.indexOf('-'));
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

type RepairEnv = Pick<Env, 'disk' | 'clock' | 'events'>;

export class RepairStore {
  readonly #env: RepairEnv;
  readonly #maxDiskBytes: number;
  readonly #maxMemoryBytes: number;
  /** Bytes on disk by key. */
  readonly #stored = new Map<string, number>();
  /** Oldest use first. */
  readonly #memory = new Map<string, Uint8Array>();
  readonly #uses = new Map<Digest128, Use>();
  readonly #subscribers: (() => void)[] = [];
  #diskBytes = 0;
  #memoryBytes = 0;
  /**
   * Changes of the directory happen one after the other: a removal never meets the writing of the
   * same name.
   */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(env: RepairEnv, options: RepairStoreOptions = {}) {
    this.#env = env;
    this.#maxDiskBytes = options.maxDiskBytes ?? 256 * MiB;
    this.#maxMemoryBytes = options.maxMemoryBytes ?? 16 * MiB;
    assert(this.#maxDiskBytes >= 0 && this.#maxMemoryBytes >= 0, 'D1 the bounds of repairs are sizes');
  }

  /**
   * Takes stock of what this node kept. Reads find it without that, and change nothing; bounds and
   * clean-up need it.
   */
  async load(): Promise<void> {
    const { disk } = this.#env;
    await disk.mkdir(REPAIRS_DIR);
    await disk.syncDir('.');
    await this.sweep();
  }

  /** The directory holds repairs and nothing else: what is unfinished, damaged or misnamed goes. */
  sweep(): Promise<void> {
    return this.#inTurn(async () => {
      const { disk } = this.#env;
      for (const name of await disk.list(REPAIRS_DIR)) {
        if (this.#stored.has(name)) continue;
        const path = `${REPAIRS_DIR}/${name}`;
        const size = disk.sizeOf(path);
        const repair = name.endsWith('.tmp') ? undefined : this.#read(path);
        if (repair === undefined || size === undefined || keyOf(repair.fileDigest, repair.offset) !== name) await this.#unlink(path);
        else this.#keep(name, size);
      }
    });
  }

  get empty(): boolean {
    return this.#stored.size === 0 && this.#memory.size === 0;
  }

  /** Of the files that anything is kept of. */
  digests(): Set<Digest128> {
    return new Set([...this.#stored.keys(), ...this.#memory.keys()].map(digestOf));
  }

  /** When a repair of the file was last put or read in this life; -Infinity: never. */
  usedAt(fileDigest: Digest128): number {
    return this.#uses.get(fileDigest)?.at ?? -Infinity;
  }

  /** Grows with every repair that is put: what was proven before says nothing of it. */
  puts(fileDigest: Digest128): number {
    return this.#uses.get(fileDigest)?.puts ?? 0;
  }

  has(fileDigest: Digest128, offset: number): boolean {
    const key = keyOf(fileDigest, offset);
    return this.#memory.has(key) || this.#stored.has(key);
  }

  /**
   * Synchronous, because a read of a block is. Undefined if it was never repaired or the repair is
   * damaged itself.
   */
  get(fileDigest: Digest128, offset: number): Uint8Array | undefined {
    const key = keyOf(fileDigest, offset);
    const inMemory = this.#memory.get(key);
    if (inMemory !== undefined) {
      this.#memory.delete(key);
      this.#memory.set(key, inMemory);
      this.#used(fileDigest, 0);
      return inMemory;
    }
    const path = `${REPAIRS_DIR}/${key}`;
    if (this.#env.disk.sizeOf(path) === undefined) return undefined;
    const repair = this.#read(path);
    if (repair === undefined || keyOf(repair.fileDigest, repair.offset) !== key) {
      // Its file goes with the next sweep, and the block may be put again.
      this.#letGo(key);
      return undefined;
    }
    this.#remember(key, repair.payload);
    this.#used(fileDigest, 0);
    return repair.payload;
  }

  /**
   * After each repair that was put, once it is durable or stays in memory: at once, in order of
   * subscription.
   */
  subscribe(subscriber: () => void): void {
    this.#subscribers.push(subscriber);
  }

  /**
   * Usable at once; resolves when durable, or when it stays in memory because the disk refused or
   * is full.
   */
  async put(fileDigest: Digest128, offset: number, payload: Uint8Array): Promise<void> {
    assert(offset >= 0, `S4 a repair at ${offset} has a place`);
    const key = keyOf(fileDigest, offset);
    this.#remember(key, payload.slice());
    this.#used(fileDigest, 1);
    const bytes = encodeRepair(fileDigest, offset, payload);
    await this.#inTurn(() => this.#write(key, bytes));
    for (const subscriber of this.#subscribers) subscriber();
  }

  async #write(key: string, bytes: Uint8Array): Promise<void> {
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
      // It counts once it has its name, whatever becomes of the sync: no reader of the directory
      // may take it for a stray.
      this.#keep(key, bytes.length);
      assert(this.#diskBytes <= this.#maxDiskBytes, `D1 repairs take ${this.#diskBytes} bytes of disk`);
      await disk.syncDir(REPAIRS_DIR);
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      events.emit({ type: 'warning', message: 'a repaired block could not be kept on disk', data: { path, why: messageOf(error) } });
      if (!this.#stored.has(key)) await this.#unlink(`${path}.tmp`);
    }
  }

  /** Lets all repairs of a file go. False: the disk refused, and they are still kept. */
  async drop(fileDigest: Digest128): Promise<boolean> {
    for (const [key, payload] of [...this.#memory]) {
      if (digestOf(key) !== fileDigest) continue;
      this.#memory.delete(key);
      this.#memoryBytes -= payload.length;
    }
    assert(this.#memoryBytes >= 0, `D1 repairs take ${this.#memoryBytes} bytes of memory`);
    return this.#inTurn(async () => {
      let gone = true;
      for (const key of [...this.#stored.keys()]) {
        if (digestOf(key) !== fileDigest) continue;
        if (await this.#unlink(`${REPAIRS_DIR}/${key}`)) this.#letGo(key);
        else gone = false;
      }
      if (gone && !this.digests().has(fileDigest)) this.#uses.delete(fileDigest);
      return gone;
    });
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  #keep(key: string, bytes: number): void {
    assert(bytes > 0 && !this.#stored.has(key), `D1 the repair ${key} of ${bytes} bytes is kept once`);
    this.#stored.set(key, bytes);
    this.#diskBytes += bytes;
  }

  #letGo(key: string): void {
    this.#diskBytes -= this.#stored.get(key) ?? 0;
    this.#stored.delete(key);
    assert(this.#diskBytes >= 0 && (this.#stored.size > 0 || this.#diskBytes === 0), `D1 ${this.#stored.size} repairs take ${this.#diskBytes} bytes of disk`);
  }

  #used(fileDigest: Digest128, puts: number): void {
    this.#uses.set(fileDigest, { at: this.#env.clock.now(), puts: this.puts(fileDigest) + puts });
  }

  async #unlink(path: string): Promise<boolean> {
    try {
      await this.#env.disk.unlink(path);
      return true;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return false;
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
    assert(this.#memoryBytes >= 0, `D1 repairs take ${this.#memoryBytes} bytes of memory`);
    assert(this.#memoryBytes <= this.#maxMemoryBytes || this.#memory.size === 1, `D1 repairs take ${this.#memoryBytes} bytes of memory`);
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
