/**
 * What shapes the tree. All of it is replicated state, set by the first leader's bootstrap entry: a
 * node's flags only say what a new cluster starts with, so that equal plans give equal bytes
 * everywhere.
 */

import { KiB, MiB } from '../../base/bytes.js';
import type { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { DEFAULT_SCHEME, formatScheme, parseScheme, type EccScheme } from '../../ecc/scheme.js';

/** Compression of a block's payload. `lz4` is reserved. */
export type BlockCodec = 'none';

/** Everything besides the inputs that shapes the bytes of a table. Carried by each plan. */
export interface TableFormat {
  readonly version: number;
  /** Payload bytes at which a data block is closed. */
  readonly blockBytes: number;
  readonly codec: BlockCodec;
  readonly scheme: EccScheme;
  readonly filterBitsPerKey: number;
  /** File bytes at which a compaction starts its next output table. */
  readonly tableBytes: number;
}

export interface TreeSettings {
  readonly format: TableFormat;
  /** Bytes of keys and values at which the leader seals the memtable. */
  readonly memtableBytes: number;
  /** Tables in level 0 at which a compaction into level 1 is due. */
  readonly level0Tables: number;
  /** Target bytes of level 1; each further level holds `levelRatio` times more. */
  readonly level1Bytes: number;
  readonly levelRatio: number;
}

export const TABLE_FORMAT_VERSION = 1;
export const LEVELS = 7;

export const DEFAULT_TREE_SETTINGS: TreeSettings = {
  format: {
    version: TABLE_FORMAT_VERSION,
    blockBytes: 16 * KiB,
    codec: 'none',
    scheme: DEFAULT_SCHEME,
    filterBitsPerKey: 10,
    tableBytes: 8 * MiB,
  },
  memtableBytes: 8 * MiB,
  level0Tables: 4,
  level1Bytes: 64 * MiB,
  levelRatio: 10,
};

export function writeTableFormat(out: ByteWriter, format: TableFormat): void {
  out.u8(format.version).varint(format.blockBytes).text(format.codec).text(formatScheme(format.scheme));
  out.varint(format.filterBitsPerKey).varint(format.tableBytes);
}

/** Throws CodecError for a format of a later version. */
export function readTableFormat(input: ByteReader): TableFormat {
  const version = input.u8();
  if (version !== TABLE_FORMAT_VERSION) throw new CodecError(`table format ${version} is not supported (this is ${TABLE_FORMAT_VERSION})`);
  const blockBytes = input.varint();
  const codec = input.text();
  if (codec !== 'none') throw new CodecError(`block codec ${codec} is not supported`);
  return { version, blockBytes, codec, scheme: parseScheme(input.text()), filterBitsPerKey: input.varint(), tableBytes: input.varint() };
}

export function writeTreeSettings(out: ByteWriter, settings: TreeSettings): void {
  writeTableFormat(out, settings.format);
  out.varint(settings.memtableBytes).varint(settings.level0Tables).varint(settings.level1Bytes).varint(settings.levelRatio);
}

export function readTreeSettings(input: ByteReader): TreeSettings {
  return {
    format: readTableFormat(input),
    memtableBytes: input.varint(),
    level0Tables: input.varint(),
    level1Bytes: input.varint(),
    levelRatio: input.varint(),
  };
}
