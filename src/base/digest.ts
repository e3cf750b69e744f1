/**
 * XXH64 and XXH128 from a WebAssembly module that ships inside hash-wasm, so that digests are the
 * same bytes on every Node version and in the simulator. The hashers are ready once this module is
 * loaded.
 */

import { createXXHash64, createXXHash128 } from 'hash-wasm';
import { assert } from './assert.js';
import { toHex, type ByteReader, type ByteWriter } from './bytes.js';
import type { Digest128, Digest64 } from './ids.js';

const [h64, h128] = await Promise.all([createXXHash64(), createXXHash128()]);

/**
 * Where each digest is put together: a view of a digest's own bytes would cost more than the hash
 * of a small block.
 */
const digestView = new DataView(new ArrayBuffer(8));

/** XXH64 of all of `bytes`. */
export function digest64(bytes: Uint8Array): Digest64 {
  const out = h64.init().update(bytes).digest('binary');
  for (let i = 0; i < 8; i++) digestView.setUint8(i, out[i] as number);
  return digestView.getBigUint64(0, false);
}

/** XXH128 of the parts, as if they were one buffer: 32 hex digits. */
export function digest128(...parts: readonly Uint8Array[]): Digest128 {
  h128.init();
  for (const part of parts) h128.update(part);
  return h128.digest('hex');
}

/** Of a {@link Digest128} as bytes. */
export const DIGEST_BYTES = 16;

export function writeDigest(out: ByteWriter, digest: Digest128): void {
  assert(digest.length === 2 * DIGEST_BYTES, `a digest has ${2 * DIGEST_BYTES} hex digits: ${digest}`);
  out.hex(digest);
}

/** Throws CodecError where the input ends. */
export function readDigest(input: ByteReader): Digest128 {
  return toHex(input.raw(DIGEST_BYTES));
}
