/**
 * XXH64 and XXH128 from a WebAssembly module that ships inside hash-wasm, so that digests are the
 * same bytes on every Node version and in the simulator. The hashers are ready once this module is
 * loaded.
 */

import { createXXHash64, createXXHash128 } from 'hash-wasm';
import { assert } from './assert.js';
import { toHex, type ByteReader, type ByteWriter } from './bytes.js';
import { SLICE_BYTES } from './drive.js';
import type { Digest128, Digest64 } from './ids.js';

const [h64, h128] = await Promise.all([createXXHash64(), createXXHash128()]);

/**
 * Where each digest is put together: a view of a digest's own bytes would cost more than the hash
 * of a small block.
 */
const digestView = new DataView(new ArrayBuffer(8));

/** XXH64 of all of `bytes`. */
export function digest64(bytes: Uint8Array): Digest64 {
  return digestOf64(h64.init().update(bytes).digest('binary'));
}

function digestOf64(out: Uint8Array): Digest64 {
  for (let i = 0; i < 8; i++) digestView.setUint8(i, out[i] as number);
  return digestView.getBigUint64(0, false);
}

/** XXH128 of the parts, as if they were one buffer: 32 hex digits. */
export function digest128(...parts: readonly Uint8Array[]): Digest128 {
  h128.init();
  for (const part of parts) h128.update(part);
  return h128.digest('hex');
}

/**
 * XXH128 of the parts, as if they were one buffer, in slices. Others may take digests between two
 * slices, and none while a part is made.
 */
export function* digest128InSlices(parts: Iterable<Uint8Array>): Generator<void, Digest128> {
  h128.init();
  let left = SLICE_BYTES;
  for (const part of parts) {
    for (let at = 0; at < part.length; at += SLICE_BYTES) {
      const slice = part.subarray(at, at + SLICE_BYTES);
      h128.update(slice);
      left -= slice.length;
      if (left > 0) continue;
      const state = h128.save();
      yield;
      h128.load(state);
      left = SLICE_BYTES;
    }
  }
  return h128.digest('hex');
}

/** XXH64 of long `bytes`, in slices. Others may take digests in between. */
export function* digest64InSlices(bytes: Uint8Array): Generator<void, Digest64> {
  h64.init();
  for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
    h64.update(bytes.subarray(at, at + SLICE_BYTES));
    if (at + SLICE_BYTES >= bytes.length) break;
    const state = h64.save();
    yield;
    h64.load(state);
  }
  return digestOf64(h64.digest('binary'));
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
