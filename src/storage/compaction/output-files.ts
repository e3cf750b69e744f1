/**
 * Writes the tables of one plan to `tables/plan-<sequence>-<ordinal>.tmp`. Nothing counts until
 * `finish` resolves: then every file is synced, its name is durable, and it was read back and has
 * the digest of the bytes that were handed to the disk, so that a lost or misdirected write does
 * not hide behind a digest from memory (S6).
 */

import { assert } from '../../base/assert.js';
import { MiB } from '../../base/bytes.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import { atOnce, drive } from '../../base/drive.js';
import type { Breather } from '../../base/env.js';
import { StorageError } from '../base/errors.js';
import type { EntrySlot } from '../base/entry-slot.js';
import { sameKey } from '../base/key.js';
import type { TableFormat } from '../base/settings.js';
import { isSorted } from '../table/key-span.js';
import { FileDigest } from '../table/file-digest.js';
import { TableWriter } from '../table/table-writer.js';
import { outputPath, type Birth, type ProducedTable } from '../table/table-meta.js';

const READ_BACK_BYTES = 1 * MiB;
/**
 * How often the size of a table is looked at: counted in entries, so that where a table ends
 * depends on its content alone.
 */
const SIZE_CHECK_ENTRIES = 16;

/** Writes that wait, in order. */
interface Pending {
  readonly ordinal: number;
  readonly chunks: Uint8Array[];
  /** The table is complete: its head is written last. */
  finished: { readonly head: { readonly offset: number; readonly bytes: Uint8Array }; readonly table: ProducedTable } | undefined;
}

interface OutputOptions {
  readonly disk: Disk;
  readonly workers: Breather;
  readonly format: TableFormat;
  readonly birth: Omit<Birth, 'ordinal'>;
  /**
   * Start a new table at `format.tableBytes`, between two keys. A flush gives one table whatever
   * its size.
   */
  readonly split: boolean;
}

export class OutputFiles {
  readonly #options: OutputOptions;
  readonly #tables: ProducedTable[] = [];
  #pending: Pending[] = [];
  #pendingBytes = 0;
  #writer: TableWriter | undefined;
  /** Tables that ended, and are not complete yet. */
  #ended: TableWriter[] = [];
  #ordinal = 0;
  /** The key after which the present table ends; it is full already. */
  #lastKey: Uint8Array | undefined;
  #file: DiskFile | undefined;
  #offset = 0;
  #finished = false;

  constructor(options: OutputOptions) {
    this.#options = options;
  }

  /** Bytes that wait for {@link drain}. */
  get pendingBytes(): number {
    return this.#pendingBytes;
  }

  /** In internal key order. */
  add(entry: EntrySlot): void {
    if (this.#writer?.unsettled === true) {
      atOnce(this.#writer.settle());
      this.#look(this.#writer);
    }
    const { key, keyEnd } = entry;
    if (this.#lastKey !== undefined && !sameKey(this.#lastKey, this.#lastKey.length, key, keyEnd)) this.#endTable();
    const { format, birth } = this.#options;
    const writer = (this.#writer ??= new TableWriter(format, { ...birth, ordinal: this.#ordinal }));
    writer.add(entry);
    if (!writer.unsettled) this.#look(writer);
  }

  /** Once all blocks that are full are made: their bytes tell how large the table is. */
  #look(writer: TableWriter): void {
    if (writer.entries % SIZE_CHECK_ENTRIES !== 0) return;
    if (writer.hasChunks) this.#take(writer);
    const { format, split } = this.#options;
    if (split && this.#lastKey === undefined && writer.estimatedBytes >= format.tableBytes) this.#lastKey = writer.lastKey.slice();
  }

  /** What a writer has ready, behind what it had before. */
  #take(writer: TableWriter): Pending {
    const { ordinal } = writer.birth;
    let pending = this.#pending.find((other) => other.ordinal === ordinal);
    if (pending === undefined) {
      pending = { ordinal, chunks: [], finished: undefined };
      this.#pending.push(pending);
    }
    for (const chunk of writer.takeChunks()) {
      pending.chunks.push(chunk);
      this.#pendingBytes += chunk.length;
    }
    return pending;
  }

  #endTable(): void {
    const writer = this.#writer;
    if (writer === undefined) return;
    this.#take(writer);
    this.#ended.push(writer);
    this.#writer = undefined;
    this.#lastKey = undefined;
    this.#ordinal++;
  }

  /**
   * Makes a large block that is full, and gives tables that ended their filter, index and footer:
   * in slices, because one may have millions of keys. Call it before each {@link drain}.
   */
  async complete(): Promise<void> {
    const present = this.#writer;
    if (present?.unsettled === true) {
      await drive(present.settle(), this.#options.workers);
      this.#look(present);
    }
    for (let writer = this.#ended.shift(); writer !== undefined; writer = this.#ended.shift()) {
      await drive(writer.prepare(), this.#options.workers);
      const table = writer.finish();
      this.#take(writer).finished = { head: writer.headFooter(), table };
    }
  }

  /** Writes what waits. */
  async drain(): Promise<void> {
    assert(this.#ended.length === 0, 'S2 a table is complete before the next one is written');
    const pending = this.#pending;
    this.#pending = [];
    this.#pendingBytes = 0;
    for (const { ordinal, chunks, finished } of pending) {
      assert(ordinal === this.#tables.length, 'S2 tables are written one after the other');
      const path = outputPath(this.#options.birth.sequence, ordinal);
      const file = (this.#file ??= await this.#create(path));
      for (const chunk of chunks) {
        await file.write(chunk, this.#offset);
        this.#offset += chunk.length;
      }
      if (finished === undefined) continue;
      assert(this.#offset === finished.table.bytes, 'all bytes of a table are written');
      await file.write(finished.head.bytes, finished.head.offset);
      await file.sync();
      this.#closeFile();
      this.#tables.push(finished.table);
    }
  }

  /**
   * Always a new file: one of an earlier run may be linked to a table by now, and must not be
   * emptied under it.
   */
  async #create(path: string): Promise<DiskFile> {
    await this.#options.disk.unlink(path);
    return this.#options.disk.open(path, 'create');
  }

  #closeFile(): void {
    this.#file?.close();
    this.#file = undefined;
    this.#offset = 0;
  }

  async finish(): Promise<ProducedTable[]> {
    assert(!this.#finished, 'outputs are finished once');
    this.#finished = true;
    this.#endTable();
    await this.complete();
    await this.drain();
    assert(this.#file === undefined && this.#pendingBytes === 0, 'S6 every table is written, synced and closed');
    assert(this.#tables.length === this.#ordinal && isSorted(this.#tables), 'S3 outputs are in key order and share no key');
    if (this.#tables.length > 0) await this.#options.disk.syncDir('tables');
    for (const table of this.#tables) await this.#readBack(table);
    return this.#tables;
  }

  async #readBack(table: ProducedTable): Promise<void> {
    const path = outputPath(table.birth.sequence, table.birth.ordinal);
    const digest = new FileDigest();
    for (let offset = 0; offset < table.bytes; offset += READ_BACK_BYTES) {
      const length = Math.min(READ_BACK_BYTES, table.bytes - offset);
      digest.update((await this.#options.disk.readDirect(path, offset, length)).bytes);
      await this.#options.workers.breathe();
    }
    if (digest.length !== table.bytes || digest.digest() !== table.fileDigest) {
      throw new StorageError('DIGEST_MISMATCH', `${path} does not read back as it was written`, { path, digest: table.fileDigest });
    }
  }

  /**
   * Closes and removes what was written. Never throws: leftovers are orphans, and are overwritten
   * by the next run.
   */
  async abort(): Promise<void> {
    this.#closeFile();
    for (let ordinal = 0; ordinal <= this.#ordinal; ordinal++) {
      await this.#options.disk.unlink(outputPath(this.#options.birth.sequence, ordinal)).catch(() => undefined);
    }
  }
}
