/**
 * Encodes the header blocks that go to one peer (RFC 7541). The table mirrors the peer's: a field
 * is in it exactly if the peer, having decoded the blocks so far, has it under the same index.
 *
 * A field is added only while there is room, so nothing is ever driven out but by a smaller table:
 * the same few lists are sent again and again, and once all are known their bytes never change.
 */

import { assert } from '../../base/assert.js';
import { ByteWriter } from '../../base/bytes.js';
import { FORGOTTEN, INDEXED, REMEMBERED, RESIZED, writeInteger } from './block-writer.js';
import { DEFAULT_TABLE_BYTES } from './dynamic-table.js';
import type { Field } from './field.js';
import type { HeaderField, HeaderList } from './header-list.js';
import { LAST_STATIC_INDEX } from './static-table.js';

/** Bytes that we use of a peer's table, however large it may be. */
const MOST_TABLE_BYTES = DEFAULT_TABLE_BYTES;

/** Lists whose bytes are kept: more than any program has that makes its lists once. */
const MOST_KEPT = 128;

export class HpackEncoder {
  /** Oldest first: the last has the first index of the dynamic table. */
  readonly #table: Field[] = [];
  #tableBytes = 0;
  /** What the peer was told, or the default. */
  #capacity = MOST_TABLE_BYTES;
  /** What the peer allowed at the last block, what it allows now, and the least between. */
  #oldLimit = DEFAULT_TABLE_BYTES;
  #limit = DEFAULT_TABLE_BYTES;
  #leastLimit = DEFAULT_TABLE_BYTES;
  /** The limit was set since the last block. */
  #resized = false;
  /** Blocks that refer to the table as it stands and do not change it. */
  readonly #kept = new Map<HeaderList, Uint8Array>();

  /**
   * The header block of a list. Blocks must go out in the order in which they are encoded. The
   * bytes are never overwritten; a list that was sent before gives the same view again while the
   * table stands.
   */
  encode(list: HeaderList): Uint8Array {
    if (!this.#resized) {
      if (list.block !== undefined) return list.block;
      const kept = this.#kept.get(list);
      if (kept !== undefined) return kept;
    }
    const out = new ByteWriter();
    let changed = this.#resized;
    if (this.#resized) this.#resize(out);
    if (list.block !== undefined) return out.raw(list.block).finish();
    for (const field of list.fields) if (this.#write(out, field)) changed = true;
    const block = out.finish();
    if (changed) this.#kept.clear();
    else this.#keep(list, block);
    return block;
  }

  /** What the peer's SETTINGS_HEADER_TABLE_SIZE says; the next block tells what was made of it. */
  setPeerTableBytes(bytes: number): void {
    this.#leastLimit = this.#resized ? Math.min(this.#leastLimit, bytes) : bytes;
    this.#limit = bytes;
    this.#resized = true;
  }

  /**
   * Of several changes since the last block the smallest and the last count (4.2). A limit that
   * fell is always answered, also when it is still above what is used (RFC 9113, 4.3.1).
   */
  #resize(out: ByteWriter): void {
    this.#resized = false;
    const least = Math.min(this.#leastLimit, MOST_TABLE_BYTES);
    if (least < this.#capacity || this.#leastLimit < this.#oldLimit) this.#setCapacity(out, least);
    const last = Math.min(this.#limit, MOST_TABLE_BYTES);
    if (last !== this.#capacity) this.#setCapacity(out, last);
    this.#oldLimit = this.#limit;
  }

  #setCapacity(out: ByteWriter, bytes: number): void {
    writeInteger(out, RESIZED, bytes);
    this.#capacity = bytes;
    let gone = 0;
    while (this.#tableBytes > bytes) this.#tableBytes -= (this.#table[gone++] as Field).size;
    this.#table.splice(0, gone);
    this.#kept.clear();
  }

  /** True: the table has one more. */
  #write(out: ByteWriter, header: HeaderField): boolean {
    const index = header.staticIndex > 0 ? header.staticIndex : this.#indexOf(header.field);
    if (index > 0) {
      writeInteger(out, INDEXED, index);
      return false;
    }
    const fits = this.#tableBytes + header.field.size <= this.#capacity;
    writeInteger(out, fits ? REMEMBERED : FORGOTTEN, header.nameIndex);
    out.raw(header.literal);
    if (!fits) return false;
    this.#table.push(header.field);
    this.#tableBytes += header.field.size;
    assert(this.#tableBytes <= this.#capacity, 'the table is not larger than the peer allows');
    return true;
  }

  /** 0: it is not in the table. */
  #indexOf(field: Field): number {
    for (let i = this.#table.length - 1; i >= 0; i--) {
      const known = this.#table[i] as Field;
      if (known.name === field.name && known.value === field.value) return LAST_STATIC_INDEX + this.#table.length - i;
    }
    return 0;
  }

  #keep(list: HeaderList, block: Uint8Array): void {
    if (this.#kept.size === MOST_KEPT) this.#kept.clear();
    this.#kept.set(list, block);
  }
}
