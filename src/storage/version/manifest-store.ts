/**
 * The durable manifest: `manifest/<generation>` and its third copies, a chain of records that
 * begins with a snapshot. It is durable before any file that it no longer names is deleted, and
 * before the log that it stands for is cut. A new generation is complete and synced before hard
 * state names it, and the old one goes only after that: at every moment the one that hard state
 * names is whole.
 */

import { assert, must } from '../../base/assert.js';
import { DiskError } from '../../base/errors.js';
import { MiB } from '../../base/bytes.js';
import { digest128InSlices } from '../../base/digest.js';
import type { Disk } from '../../base/disk.js';
import { drive } from '../../base/drive.js';
import type { Workers } from '../../base/env.js';
import type { Digest128 } from '../../base/ids.js';
import type { EccScheme } from '../../ecc/scheme.js';
import { applyTreeOp } from './apply-tree-op.js';
import type { Version } from './version.js';
import { encodeManifestInSlices, manifestPieces } from './manifest-codec.js';
import { dropFiles, MANIFEST_DIR, ManifestFiles, pathOf, thirdCopyPath } from './manifest-files.js';
import { readManifestFile } from './manifest-reader.js';
import {
  CHAIN_START, chainAfter, encodeCopy, encodeRecord, secondCopy, SNAPSHOT_BYTES_MAX, type ManifestName, type PositionedOp, type RecordPlace,
} from './manifest-record.js';

export type { PositionedOp } from './manifest-record.js';

export interface ManifestStoreOptions {
  readonly disk: Disk;
  /** Asked between two slices of a version that is large. */
  readonly workers: Pick<Workers, 'breathe'>;
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
  /** Of one record's snapshot or ops, at most. Default: what a block holds. */
  readonly recordBytes?: number;
}

/**
 * What is appended before a snapshot is written again, as a share of it. So a byte that is appended
 * costs at most five, however many tables there are, and a start has few ops to apply: each of them
 * takes as long as the version is large.
 */
const APPENDED_SHARE = 1 / 4;
/** Of a snapshot that one record cannot hold. */
const PART_BYTES = 8 * MiB;

export class ManifestStore {
  readonly #options: ManifestStoreOptions;
  #manifest: Version;
  #name: ManifestName = { generation: 0, digest: CHAIN_START };
  #files: ManifestFiles | undefined;
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
    await options.disk.mkdir(MANIFEST_DIR);
    if (expected === undefined) {
      const store = new ManifestStore(options, initial);
      await store.replace(initial);
      return store;
    }
    const path = pathOf(expected.generation);
    const contents = await readManifestFile(options.disk, path, expected, options.scheme, options.workers);
    const store = new ManifestStore(options, contents.manifest);
    store.#name = expected;
    store.#offset = contents.offset;
    store.#snapshotBytes = contents.snapshotBytes;
    store.#place = contents.place;
    await store.#dropOthers();
    if (contents.damaged) await store.#mendIfRoom(contents.manifest);
    else await store.#openForAppends();
    return store;
  }

  /** C1 On a full disk what can be read is enough: the next record goes to another file. */
  async #mendIfRoom(manifest: Version): Promise<void> {
    try {
      await this.replace(manifest);
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'NO_SPACE')) throw error;
      assert(this.#stale, 'S4 a file that is damaged is not written to');
    }
  }

  /** A file that can be read and not written to is left as it is: what comes goes to another. */
  async #openForAppends(): Promise<void> {
    try {
      this.#files = await ManifestFiles.open(this.#options.disk, this.#name.generation);
    } catch (error) {
      if (!(error instanceof DiskError && error.code === 'IO')) throw error;
      this.#stale = true;
    }
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
    const digest = await this.#sliced(digest128InSlices(manifestPieces(result)));
    const reached = await this.#sliced(digest128InSlices(manifestPieces(applied)));
    assert(reached === digest, 'S2 the ops lead to the manifest that is recorded');
    if (this.#stale || this.#files === undefined || this.#outgrown) return this.replace(result);
    const payload = await this.#sliced(encodeRecord(this.#place, { kind: 'ops', ops, result: digest }));
    // C1 Edits name bounds that may be long, and many of them may wait for one that is owed.
    if (payload.length > this.#recordBytes) return this.replace(result);
    await this.#exclusive(async () => {
      await this.#write(this.#files as ManifestFiles, payload);
      this.#manifest = result;
    });
  }

  get #recordBytes(): number {
    return this.#options.recordBytes ?? SNAPSHOT_BYTES_MAX;
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
      const files = await ManifestFiles.create(this.#options.disk, generation);
      let named = false;
      this.#offset = 0;
      this.#place = { generation, record: 0, chain: CHAIN_START };
      try {
        const digest = await this.#writeSnapshot(files, manifest);
        this.#snapshotBytes = this.#offset;
        await this.#options.disk.syncDir(MANIFEST_DIR);
        // From here on hard state may name it, whatever becomes of that write.
        named = true;
        const name = { generation, digest };
        await this.#options.commitGeneration(name);
        this.#name = name;
      } catch (error) {
        files.close();
        // On a full disk they would be in the way of the next try.
        if (!named) await dropFiles(this.#options.disk, generation).catch(() => undefined);
        throw error;
      }
      this.#files?.close();
      this.#files = files;
      this.#manifest = manifest;
      await this.#dropOthers();
    });
  }

  close(): void {
    this.#files?.close();
    this.#files = undefined;
    this.#stale = true;
  }

  /** In one record, or in parts; gives the digest of its first record: a generation's name. */
  async #writeSnapshot(files: ManifestFiles, manifest: Version): Promise<Digest128> {
    const bytes = await this.#sliced(encodeManifestInSlices(manifest));
    assert(this.#place.record === 0, 'S4 a generation is named by its first record');
    if (bytes.length <= this.#recordBytes) {
      await this.#write(files, await this.#sliced(encodeRecord(this.#place, { kind: 'snapshot', bytes })));
      return this.#place.chain;
    }
    const digest = await this.#sliced(digest128InSlices([bytes]));
    let first: Digest128 | undefined;
    const partBytes = Math.min(PART_BYTES, this.#recordBytes);
    for (let at = 0; at < bytes.length; at += partBytes) {
      const part = { kind: 'part', total: bytes.length, digest, at, bytes: bytes.subarray(at, at + partBytes) } as const;
      await this.#write(files, await this.#sliced(encodeRecord(this.#place, part)));
      first ??= this.#place.chain;
    }
    return must(first, 'S4 a snapshot in parts has a first one');
  }

  /** All copies of the next record. */
  async #write(files: ManifestFiles, payload: Uint8Array): Promise<void> {
    const first = await this.#sliced(encodeCopy(this.#place, 0, payload, this.#options.scheme));
    await files.write(first, await this.#sliced(secondCopy(first)), this.#offset);
    this.#offset += 2 * first.length;
    const chain = await this.#sliced(chainAfter(payload));
    this.#place = { generation: this.#place.generation, record: this.#place.record + 1, chain };
  }

  async #sliced<T>(work: Generator<void, T>): Promise<T> {
    return drive(work, this.#options.workers);
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
    const own = [this.path, thirdCopyPath(this.path)];
    for (const name of await this.#options.disk.list(MANIFEST_DIR)) {
      const path = `${MANIFEST_DIR}/${name}`;
      if (!own.includes(path)) await this.#options.disk.unlink(path);
    }
  }
}
