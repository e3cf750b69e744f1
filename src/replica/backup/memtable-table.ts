/**
 * What a backup has of a memtable, as a table: made twice from what the view shows, once to know
 * its size and digests, which stand in front of it, and once to be sent. So no memory is taken for
 * it, however large, and a bit that flips while it is made the one time shows by the other: the
 * tables of a version were produced by a majority alike (S6), this one by one member alone.
 */

import { assert } from '../../base/assert.js';
import type { Workers } from '../../base/env.js';
import { drive } from '../../base/drive.js';
import { StorageError } from '../../storage/base/errors.js';
import { EntrySlot } from '../../storage/base/entry-slot.js';
import { encodeInternalKey } from '../../storage/base/key.js';
import type { TreeWrite } from '../../storage/base/read-view.js';
import type { TableFormat } from '../../storage/base/settings.js';
import { USER_SPACE } from '../../storage/base/read-view.js';
import { compareBytes } from '../../base/bytes.js';
import { MemtableEntries } from '../../storage/compaction/memtable-entries.js';
import type { Memtable } from '../../storage/memtable/memtable.js';
import { TableWriter } from '../../storage/table/table-writer.js';
import type { Birth, ProducedTable } from '../../storage/table/table-meta.js';

/** Entries between two looks at the clock. */
const SLICE_ENTRIES = 256;

/** In key order, each in the slot. */
interface Entries {
  readonly slot: EntrySlot;
  next(): boolean;
}

/** Writes of the system space: of the state machine, which lies in no memtable yet. */
class WrittenEntries implements Entries {
  readonly slot = new EntrySlot();
  readonly #entries: readonly { readonly key: Uint8Array; readonly write: TreeWrite }[];
  #at = 0;

  constructor(writes: readonly TreeWrite[]) {
    const entries = writes.map((write) => ({ key: encodeInternalKey(write.space, write.key, write.revision, write.sub), write }));
    this.#entries = entries.sort((a, b) => compareBytes(a.key, b.key));
  }

  next(): boolean {
    const entry = this.#entries[this.#at++];
    if (entry === undefined) return false;
    const { slot } = this;
    const { key, write } = entry;
    slot.key = key;
    slot.keyEnd = key.length;
    slot.tombstone = write.tombstone;
    slot.liveDelta = write.liveDelta;
    slot.value = write.value;
    slot.valueAt = 0;
    slot.valueEnd = write.value.length;
    slot.revision = write.revision;
    slot.userSpace = write.space === USER_SPACE;
    return true;
  }
}

/** Both, in key order. A memtable holds system keys, too: leases, and which keys have one. */
function* inOrder(written: Entries, memtable: Entries | undefined): Generator<EntrySlot, void> {
  let hasWritten = written.next();
  let hasMemtable = memtable?.next() === true;
  while (hasWritten || (hasMemtable && memtable !== undefined)) {
    if (hasWritten && !(hasMemtable && memtable !== undefined && isBefore(memtable.slot, written.slot))) {
      yield written.slot;
      hasWritten = written.next();
    } else if (memtable !== undefined) {
      yield memtable.slot;
      hasMemtable = memtable.next();
    }
  }
}

function isBefore(a: EntrySlot, b: EntrySlot): boolean {
  return compareBytes(a.key.subarray(0, a.keyEnd), b.key.subarray(0, b.keyEnd)) < 0;
}

interface Made {
  readonly table: ProducedTable;
  /** What stands at its beginning, and is known last. */
  readonly head: Uint8Array;
}

export interface TableContent {
  /** Beside the memtable's; none of them is in it. */
  readonly writes: readonly TreeWrite[];
  readonly memtable: Memtable | undefined;
  /** Of the view: nothing above is in the table. */
  readonly sequence: number;
}

export class MemtableTable {
  readonly table: ProducedTable;
  readonly #content: TableContent;
  readonly #format: TableFormat;
  readonly #workers: Workers;
  readonly #head: Uint8Array;

  private constructor(content: TableContent, format: TableFormat, workers: Workers, made: Made) {
    this.table = made.table;
    this.#content = content;
    this.#format = format;
    this.#workers = workers;
    this.#head = made.head;
  }

  /** Undefined: there is nothing to put into it. */
  static async of(content: TableContent, birth: Birth, format: TableFormat, workers: Workers): Promise<MemtableTable | undefined> {
    const making = make(content, birth, format, workers);
    let step = await making.next();
    while (step.done !== true) step = await making.next();
    return step.value && new MemtableTable(content, format, workers, step.value);
  }

  /** Its bytes, in order; they belong to the caller. Throws StorageError DIGEST_MISMATCH. */
  async *bytes(): AsyncGenerator<Uint8Array, void, undefined> {
    const { birth, fileDigest, bytes } = this.table;
    const making = make(this.#content, birth, this.#format, this.#workers);
    let length = 0;
    for (let step = await making.next(); ; step = await making.next()) {
      if (step.done === true) {
        if (step.value?.table.fileDigest === fileDigest && length === bytes) return;
        throw new StorageError('DIGEST_MISMATCH', 'S6 a memtable gave another table the second time: a fault of this machine', { fileDigest });
      }
      const chunk = step.value;
      if (length === 0) chunk.set(this.#head);
      length += chunk.length;
      yield chunk;
    }
  }
}

/** The chunks of the file, its head still zero, in slices. */
async function* make(
  content: TableContent, birth: Birth, format: TableFormat, workers: Workers,
): AsyncGenerator<Uint8Array, Made | undefined, undefined> {
  const { writes, memtable, sequence } = content;
  const writer = new TableWriter(format, birth);
  let sliced = 0;
  for (const slot of inOrder(new WrittenEntries(writes), memtable && new MemtableEntries(memtable, sequence))) {
    writer.add(slot);
    if (writer.unsettled) await drive(writer.settle(), workers);
    if (writer.hasChunks) yield* writer.takeChunks();
    if (++sliced % SLICE_ENTRIES === 0) await workers.breathe();
  }
  if (writer.entries === 0) return undefined;
  await drive(writer.prepare(), workers);
  const table = writer.finish();
  const head = writer.headFooter();
  yield* writer.takeChunks();
  assert(head.offset === 0, 'the footer at the head is at the head');
  return { table, head: head.bytes };
}
