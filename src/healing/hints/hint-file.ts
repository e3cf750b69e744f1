/**
 * The file of a node's open hints, `<data-dir>/hints`: what is in it, and how it is read. A file
 * that does not verify at a second reading either counts as empty, with a warning: a scrub finds
 * every fault again.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { CodecError, codeOf, messageOf } from '../../base/errors.js';
import type { DirectRead } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import { encodeHints, readHints, type Hint } from './hint.js';

export const HINTS_PATH = 'hints';
const MAGIC = 0x314e_484b;
const FILE_BYTES_MAX = 8 * 1024 * 1024;

export function encodeHintFile(hints: readonly Hint[]): Uint8Array {
  const body = encodeHints(hints);
  assert(body.length + 12 <= FILE_BYTES_MAX, `H2 a hints file of ${body.length} bytes can be read again`);
  return new ByteWriter(body.length + 12).u32(MAGIC).u32(body.length).raw(body).u32(crc32c(body)).finish();
}

/** Throws CodecError unless every byte is as it was written. */
export function decodeHintFile(bytes: Uint8Array): Hint[] {
  const input = new ByteReader(bytes, 'hints file');
  if (input.u32() !== MAGIC) throw new CodecError('hints file: wrong magic');
  const body = input.raw(input.u32());
  if (input.u32() !== crc32c(body)) throw new CodecError('hints file: wrong checksum');
  input.end();
  const inner = new ByteReader(body, 'hints file');
  const hints = readHints(inner);
  inner.end();
  return hints;
}

/** No hints if there is no file. Undefined: damaged. */
export async function readHintFile(env: Env): Promise<Hint[] | undefined> {
  const { disk, events } = env;
  try {
    const size = disk.sizeOf(HINTS_PATH);
    if (size === undefined) return [];
    if (size > FILE_BYTES_MAX) throw new CodecError(`hints file of ${size} bytes`);
    return decodeHintFile((await readTwice(env, size)).bytes);
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    const message = 'the hints file is damaged and was dropped; a scrub finds its faults again';
    events.emit({ type: 'warning', message, data: { why: messageOf(error) } });
    return undefined;
  }
}

/** A fault on the way must not cost what is good on the disk. */
async function readTwice({ disk }: Env, size: number): Promise<DirectRead> {
  try {
    const read = await disk.readDirect(HINTS_PATH, 0, size);
    decodeHintFile(read.bytes);
    return read;
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    return disk.readDirect(HINTS_PATH, 0, size);
  }
}
