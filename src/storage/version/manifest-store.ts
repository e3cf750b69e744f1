/**
 * The durable manifest: `manifest/<generation>`, a chain of records that begins with a snapshot. It
 * is durable before any file that it no longer names is deleted, and before the log that it stands
 * for is cut. A new generation is complete and synced before hard state names it, and the old one
 * goes only after that: at every moment the one that hard state names is whole.
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import { digest128 } from '../../base/digest.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import type { EccScheme } from '../../ecc/scheme.js';
import { applyTreeOp } from './apply-tree-op.js';
import type { Version } from './version.js';
import { encodeManifest } from './manifest-codec.js';
import { readManifestFile } from './manifest-reader.js';
import { CHAIN_START, chainAfter, encodeCopy, encodeRecord, PAGE_BYTES, type ManifestName, type ManifestRecord, type PositionedOp, type RecordPlace } from './manifest-record.js';

export type { PositionedOp } from './manifest-record.js';

export interface ManifestStoreOptions {
  readonly disk: Disk;
  readonly scheme: EccScheme;
  /**
   * Durably names a new generation in the hard state; resolves when that is synced. Until then the
   * old one counts.
   */
  readonly commitGeneration: (name: ManifestName) => Promise<void>;
  /**
   * File bytes beyond which an append starts a new generation, if what was appended since is also a
   * quarter of the snapshot. Default 1 MiB.
   */
  readonly rotateBytes?: number;
}

const DIR = 'manifest';
/**
 * What is appended before a snapshot is written again, as a share of it. So a byte that is appended
 * costs at most five, however many tables there are, and a start has few ops to apply: each of them
 * takes as long as the version is large.
 */
const APPENDED_SHARE = 1 / 4;

export class ManifestStore {
  readonly #options: ManifestStoreOptions;
  #manifest: Version;
  #name: ManifestName = { generation: 0, digest: CHAIN_START };
  #file: DiskFile | undefined;
  #offset = 0;
  /** Of the file, its first record. */
  #snapshotBytes = 0;
  #place: RecordPlace = { generation: 0, record: 0, chain: CHAIN_START };
  /** The file was damaged, or a write to it failed: nothing more is appended to it. */
  #stale = false;
  #busy = false;
  /**
   * The last number that was tried, and is never tried again: hard state may name it although its
   * write reported an error.
   */
  #lastGeneration = 0;

  private constructor(options: ManifestStoreOptions, manifest: Version) {
    this.#options = options;
    this.#manifest = manifest;
  }

  /**
   * `expected` is what hard state names; undefined: a new store, and `initial` becomes generation
   * 1. Throws StorageError MANIFEST_UNREADABLE if what is named cannot be read: the node then needs
   * the version of a peer, see {@link lost}.
   */
  static async open(options: ManifestStoreOptions, expected: ManifestName | undefined, initial: Version): Promise<ManifestStore> {
    await options.disk.mkdir(DIR);
    if (expected === undefined) {
      const store = new ManifestStore(options, initial);
      await store.replace(initial);
      return store;
    }
    const path = pathOf(expected.generation);
    const contents = await readManifestFile(options.disk, path, expected, options.scheme);
    const store = new ManifestStore(options, contents.manifest);
    store.#name = expected;
    store.#offset = contents.offset;
    store.#snapshotBytes = contents.snapshotBytes;
    store.#place = contents.place;
    await store.#dropOthers();
    if (contents.damaged) await store.replace(contents.manifest);
    else store.#file = await options.disk.open(path, 'write');
    return store;
  }

  /**
   * For a node that lost what hard state names: `nothing`, an empty version, stands in until
   * `replace` made another durable.
   */
  static lost(options: ManifestStoreOptions, expected: ManifestName, nothing: Version): ManifestStore {
    const store = new ManifestStore(options, nothing);
    store.#name = expected;
    store.#stale = true;
    return store;
  }

  /** The durable version. */
  get manifest(): Version {
    return this.#manifest;
  }

  get name(): ManifestName {
    return this.#name;
  }

  /** Of the present file. */
  get path(): string {
    return pathOf(this.#name.generation);
  }

  /**
   * Makes `ops`, which lead from the durable version to `result`, durable. One at a time. If it
   * rejects, the durable version is what it was (or, after a crash, possibly `result`); the next
   * append goes to a new file.
   */
  async append(ops: readonly PositionedOp[], result: Version): Promise<void> {
    let applied = this.#manifest;
    for (const { op, index, term } of ops) applied = applyTreeOp(applied, op, { index, term }).manifest;
    assert(ops.length > 0 && applied.last.index === result.last.index, 'S1 what is recorded is a step of the log, and all of it');
    const digest = digest128(encodeManifest(result));
    assert(digest128(encodeManifest(applied)) === digest, 'S2 the ops lead to the manifest that is recorded');
    if (this.#stale || this.#file === undefined || this.#outgrown) return this.replace(result);
    await this.#exclusive(async () => {
      await this.#write(this.#file as DiskFile, { kind: 'ops', ops, result: digest });
      this.#manifest = result;
    });
  }

  get #outgrown(): boolean {
    const appended = this.#offset - this.#snapshotBytes;
    return this.#offset >= (this.#options.rotateBytes ?? MiB) && appended >= this.#snapshotBytes * APPENDED_SHARE;
  }

  /**
   * Starts a new generation with `manifest`: after a snapshot was received, or after faults were
   * found in the file.
   */
  async replace(manifest: Version): Promise<void> {
    await this.#exclusive(async () => {
      const generation = Math.max(this.#name.generation, this.#lastGeneration) + 1;
      assert(generation > this.#name.generation && generation > this.#lastGeneration, 'S4 no generation is written twice');
      this.#lastGeneration = generation;
      const path = pathOf(generation);
      await this.#options.disk.unlink(path);
      const file = await this.#options.disk.open(path, 'create');
      this.#offset = 0;
      this.#place = { generation, record: 0, chain: CHAIN_START };
      try {
        await this.#write(file, { kind: 'snapshot', manifest });
        this.#snapshotBytes = this.#offset;
        await this.#options.disk.syncDir(DIR);
        const name = { generation, digest: this.#place.chain };
        await this.#options.commitGeneration(name);
        assert(this.#place.record === 1, 'S4 a generation is named by its first record');
        this.#name = name;
      } catch (error) {
        file.close();
        throw error;
      }
      this.#file?.close();
      this.#file = file;
      this.#manifest = manifest;
      await this.#dropOthers();
    });
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#stale = true;
  }

  /** Both copies, each synced before anything else happens. */
  async #write(file: DiskFile, record: ManifestRecord): Promise<void> {
    const payload = encodeRecord(this.#place, record);
    for (const copy of [0, 1] as const) {
      const bytes = encodeCopy(this.#place, copy, payload, this.#options.scheme);
      assert(this.#offset % PAGE_BYTES === 0 && bytes.length % PAGE_BYTES === 0, 'a copy of a record is whole pages: damage of one page hits one copy');
      await file.write(bytes, this.#offset);
      await file.sync();
      this.#offset += bytes.length;
    }
    this.#place = { generation: this.#place.generation, record: this.#place.record + 1, chain: chainAfter(payload) };
  }

  async #exclusive(work: () => Promise<void>): Promise<void> {
    assert(!this.#busy, 'the manifest is written by one at a time');
    this.#busy = true;
    this.#stale = true;
    try {
      await work();
      this.#stale = false;
    } finally {
      this.#busy = false;
    }
  }

  /** Only the generation that hard state names counts; others are leftovers. */
  async #dropOthers(): Promise<void> {
    const own = String(this.#name.generation);
    for (const name of await this.#options.disk.list(DIR)) if (name !== own) await this.#options.disk.unlink(`${DIR}/${name}`);
  }
}

/** `manifest/<generation>`. */
export function pathOf(generation: number): string {
  return `${DIR}/${generation}`;
}
