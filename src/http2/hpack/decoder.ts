/**
 * Decodes the header blocks of one peer (RFC 7541). Every block must be decoded, in the order in
 * which they came: what one block says depends on those before. The work is bounded by the block's
 * bytes, whatever it refers to: a field of the table is handed on as it is, never copied.
 */

import { BlockReader } from './block-reader.js';
import { DEFAULT_TABLE_BYTES, DynamicTable } from './dynamic-table.js';
import { Field } from './field.js';
import { LAST_STATIC_INDEX, STATIC_FIELDS } from './static-table.js';

/** Changes of the table's size at the start of a block: the smallest and the last (4.2). */
const MOST_SIZE_UPDATES = 2;

/** What takes the fields of a block, in order. */
export interface FieldSink {
  /** False: no more of them. The block is decoded to its end all the same, for the table's sake. */
  field(field: Field): boolean;
}

export class HpackDecoder {
  readonly #maxTableBytes: number;
  readonly #table: DynamicTable;
  readonly #reader = new BlockReader();
  /** By index. Made when they are first referred to: a field belongs to one connection. */
  readonly #statics: (Field | undefined)[] = [];
  #generation = 0;

  /**
   * `maxTableBytes`: what our SETTINGS_HEADER_TABLE_SIZE says. The table has that size at once, so
   * a peer that has not yet seen a smaller one than the default would be misunderstood.
   */
  constructor(maxTableBytes = DEFAULT_TABLE_BYTES) {
    this.#maxTableBytes = maxTableBytes;
    this.#table = new DynamicTable(Math.min(maxTableBytes, DEFAULT_TABLE_BYTES));
  }

  /** Another number once the table has changed: until then equal blocks mean the same. */
  get generation(): number {
    return this.#generation;
  }

  /**
   * The fields of the block [from, to). 'broken': COMPRESSION_ERROR, the connection must end (RFC
   * 9113, 4.3); the table is then worth nothing.
   */
  decode(block: Uint8Array, from: number, to: number, into: FieldSink): 'ok' | 'broken' {
    const reader = this.#reader;
    reader.open(block, from, to);
    const sound = this.#sizeUpdates() && this.#fields(into);
    reader.close();
    return sound ? 'ok' : 'broken';
  }

  /** They are allowed at the start of a block alone (4.2). */
  #sizeUpdates(): boolean {
    const reader = this.#reader;
    for (let updates = 0; !reader.done && reader.next >> 5 === 1; updates++) {
      const bytes = reader.integer(5);
      if (updates === MOST_SIZE_UPDATES || bytes < 0 || bytes > this.#maxTableBytes) return false;
      this.#table.resize(bytes);
      this.#generation++;
    }
    return true;
  }

  #fields(into: FieldSink): boolean {
    const reader = this.#reader;
    let wanted = true;
    while (!reader.done) {
      const first = reader.next;
      let field: Field | undefined;
      if (first >= 0x80) field = this.#indexed(reader.integer(7));
      else if (first >= 0x40) {
        field = this.#literal(6);
        if (field !== undefined) this.#insert(field);
      } else if (first < 0x20) field = this.#literal(4);
      if (field === undefined) return false;
      if (wanted) wanted = into.field(field);
    }
    return true;
  }

  #insert(field: Field): void {
    this.#table.insert(field);
    this.#generation++;
  }

  /** Undefined where there is none: 0, or beyond the table (2.3.3). -1 is what ended early. */
  #indexed(index: number): Field | undefined {
    if (index > LAST_STATIC_INDEX) return this.#table.at(index - LAST_STATIC_INDEX - 1);
    return this.#statics[index] ?? this.#static(index);
  }

  #static(index: number): Field | undefined {
    const row = STATIC_FIELDS[index - 1];
    if (row === undefined) return undefined;
    const field = new Field(row[0], row[1]);
    this.#statics[index] = field;
    return field;
  }

  /** Name and value (6.2), the name as an index or as text; undefined if they are broken. */
  #literal(prefixBits: number): Field | undefined {
    const index = this.#reader.integer(prefixBits);
    const name = index === 0 ? this.#reader.text() : this.#indexed(index)?.name;
    if (name === undefined) return undefined;
    const value = this.#reader.text();
    return value === undefined ? undefined : new Field(name, value);
  }
}
