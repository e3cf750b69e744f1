/**
 * A list of fields to be sent. It never changes, and what is the same on every connection is made
 * with it: indexes of the static table, coded strings.
 *
 * There are two kinds, because a table remembers. A list that is made once and sent often may be
 * indexed: its second block is a few bytes. A list with texts of one answer must not be: it would
 * drive out, or keep out, what is sent often; so its block is the same everywhere.
 */

import { assert } from '../../base/assert.js';
import { ByteWriter, EMPTY } from '../../base/bytes.js';
import { FORGOTTEN, INDEXED, writeInteger, writeString } from './block-writer.js';
import { Field } from './field.js';
import { staticIndex, staticNameIndex } from './static-table.js';

export type Pair = readonly [name: string, value: string];

/** What this process sends is its own: a wrong name or value is a bug. */
const NAME = /^:?[!#$%&'*+\-.^_`|~0-9a-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** A field as it is encoded. */
export interface HeaderField {
  readonly field: Field;
  /** Of the static table's equal row; 0: there is none. */
  readonly staticIndex: number;
  /** Of a row of that name; 0: there is none. */
  readonly nameIndex: number;
  /** The name, if it has no index, and the value, as strings of a block. */
  readonly literal: Uint8Array;
}

export class HeaderList {
  /** Of a list that is sent often. */
  readonly fields: readonly HeaderField[];
  /** Of a list for one answer: its block, on every connection. */
  readonly block: Uint8Array | undefined;
  /** What it says. */
  readonly pairs: readonly Pair[];

  private constructor(pairs: readonly Pair[], fields: readonly HeaderField[], block: Uint8Array | undefined) {
    this.pairs = pairs;
    this.fields = fields;
    this.block = block;
  }

  /**
   * A list that is made once and sent often: its fields may be indexed and its bytes are kept. The
   * characters of a value are bytes: no control characters but tabs, none above 0xff.
   */
  static of(...pairs: readonly Pair[]): HeaderList {
    return new HeaderList(pairs, pairs.map(headerField), undefined);
  }

  /** A list for one answer, with texts of its own: nothing of it is indexed or kept. */
  static once(...pairs: readonly Pair[]): HeaderList {
    return new HeaderList(pairs, [], blockOf(pairs));
  }
}

/** Stands for the trailers of a response that has none: its payload ends it. */
export const NO_TRAILERS = HeaderList.of();

function headerField([name, value]: Pair): HeaderField {
  check(name, value);
  const index = staticIndex(name, value);
  const nameIndex = staticNameIndex(name);
  let literal: Uint8Array = EMPTY;
  if (index === 0) {
    const out = new ByteWriter(name.length + value.length + 2);
    writeLiteral(out, nameIndex, name, value);
    literal = out.finish();
  }
  return { field: new Field(name, value), staticIndex: index, nameIndex, literal };
}

/** With the static table alone. */
function blockOf(pairs: readonly Pair[]): Uint8Array {
  const out = new ByteWriter();
  for (const [name, value] of pairs) {
    check(name, value);
    const index = staticIndex(name, value);
    if (index > 0) {
      writeInteger(out, INDEXED, index);
      continue;
    }
    const nameIndex = staticNameIndex(name);
    writeInteger(out, FORGOTTEN, nameIndex);
    writeLiteral(out, nameIndex, name, value);
  }
  return out.finish();
}

/** What follows the index of a name (RFC 7541, 6.2), 0 for a name that has none. */
function writeLiteral(out: ByteWriter, nameIndex: number, name: string, value: string): void {
  if (nameIndex === 0) writeString(out, name);
  writeString(out, value);
}

function check(name: string, value: string): void {
  if (!NAME.test(name)) assert(false, `name of a field to be sent: ${JSON.stringify(name)}`);
  if (!VALUE.test(value)) assert(false, `value of a field to be sent: ${name} has a character that it may not have`);
}
