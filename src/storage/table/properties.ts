/**
 * What a table says of itself, for tools that have no manifest: counts, bounds, birth. No read
 * depends on it.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import type { Birth } from './table-meta.js';
import { readFixedBirth, writeFixedBirth } from './birth-codec.js';

export interface TableProperties {
  readonly birth: Birth;
  readonly smallest: Uint8Array;
  readonly largest: Uint8Array;
  readonly dataBlocks: number;
  readonly entries: number;
  readonly tombstones: number;
  readonly minRevision: number;
  readonly maxRevision: number;
  readonly liveDelta: number;
  /** Of all keys and values, before prefix compression. */
  readonly rawBytes: number;
}

export function encodeProperties(p: TableProperties): Uint8Array {
  assert(p.dataBlocks > 0 && p.dataBlocks <= p.entries && p.tombstones <= p.entries, 'counts of a table fit together');
  const out = new ByteWriter();
  writeFixedBirth(out, p.birth);
  out.bytes(p.smallest).bytes(p.largest).varint(p.dataBlocks).varint(p.entries).varint(p.tombstones);
  return out.varint(p.minRevision).varint(p.maxRevision).i64(BigInt(p.liveDelta)).varint(p.rawBytes).finish();
}

export function decodeProperties(payload: Uint8Array): TableProperties {
  const input = new ByteReader(payload, 'table properties');
  const properties = {
    birth: readFixedBirth(input),
    smallest: input.bytes(),
    largest: input.bytes(),
    dataBlocks: input.varint(),
    entries: input.varint(),
    tombstones: input.varint(),
    minRevision: input.varint(),
    maxRevision: input.varint(),
    liveDelta: Number(input.i64()),
    rawBytes: input.varint(),
  };
  input.end();
  return properties;
}
