/**
 * The root of a table: its birth, what shaped it, and the handles of its parts. It has a fixed size
 * and stands at both ends of the file. Its digest lies in the manifest (the root digest), so it
 * vouches for nothing by itself.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { EccScheme } from '../../ecc/scheme.js';
import { MAX_PAYLOAD_BYTES, readBlockType, writeHandle, type BlockHandle, type BlockSpec, type BlockType } from '../block/handle.js';
import { regionBytes } from '../block/layout.js';
import { readTableFormat, writeTableFormat, type TableFormat } from '../base/settings.js';
import { readFixedBirth, writeFixedBirth } from './birth-codec.js';
import type { Birth, TableMeta } from './table-meta.js';

/** Of the payload. */
export const FOOTER_BYTES = 256;

/** "KTBL", little-endian. */
const MAGIC = 0x4c42544b;

export interface Footer {
  readonly birth: Birth;
  readonly format: TableFormat;
  /** Of the whole file. */
  readonly fileBytes: number;
  readonly filter: BlockHandle;
  readonly properties: BlockHandle;
  readonly index: BlockHandle;
}

/** Of a footer's region. The scheme is known to the manifest. */
export function footerRegionBytes(scheme: EccScheme): number {
  return regionBytes(FOOTER_BYTES, scheme);
}

/** No table is smaller: a footer stands at both ends. */
export function minTableBytes(scheme: EccScheme): number {
  return 2 * footerRegionBytes(scheme);
}

/** How the footers of this table are laid out and judged. */
export function footerSpec(meta: TableMeta): BlockSpec {
  return { type: 'footer', codec: 'none', scheme: meta.scheme, payloadBytes: FOOTER_BYTES, digest: meta.rootDigest };
}

export function encodeFooter(footer: Footer): Uint8Array {
  const { filter, properties, index, fileBytes } = footer;
  assert(filter.offset < properties.offset && properties.offset < index.offset && index.offset < fileBytes, 'S2 the parts of a table lie in order');
  const out = new ByteWriter(FOOTER_BYTES).u32(MAGIC).u53(footer.fileBytes);
  writeFixedBirth(out, footer.birth);
  writeTableFormat(out, footer.format);
  writeHandle(out, footer.filter);
  writeHandle(out, footer.properties);
  writeHandle(out, footer.index);
  assert(out.length <= FOOTER_BYTES, 'the footer fits into its fixed size');
  return out.zeros(FOOTER_BYTES - out.length).finish();
}

function readHandle(input: ByteReader, type: BlockType, format: TableFormat): BlockHandle {
  const found = readBlockType(input);
  if (found !== type) throw new CodecError(`table footer names a block of type ${found} where ${type} belongs`);
  const offset = input.u53();
  const payloadBytes = input.u32();
  if (payloadBytes > MAX_PAYLOAD_BYTES) throw new CodecError(`table footer names a block of ${payloadBytes} bytes`);
  const { codec, scheme } = format;
  return { type, codec, scheme, offset, payloadBytes, digest: input.u64(), length: regionBytes(payloadBytes, scheme) };
}

export function decodeFooter(payload: Uint8Array): Footer {
  const input = new ByteReader(payload, 'table footer');
  if (input.u32() !== MAGIC) throw new CodecError('table footer has another magic number');
  const fileBytes = input.u53();
  const birth = readFixedBirth(input);
  const format = readTableFormat(input);
  const filter = readHandle(input, 'filter', format);
  const properties = readHandle(input, 'properties', format);
  const index = readHandle(input, 'index', format);
  return { birth, format, fileBytes, filter, properties, index };
}
