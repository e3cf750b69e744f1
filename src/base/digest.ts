/**
 * XXH64 and XXH128 from a WebAssembly module that ships inside hash-wasm, so that digests are the same
 * bytes on every Node version and in the simulator. The hashers are ready once this module is loaded.
 */

import { createXXHash64, createXXHash128 } from 'hash-wasm';
import type { Digest128, Digest64 } from './ids.js';

const [h64, h128] = await Promise.all([createXXHash64(), createXXHash128()]);

/** XXH64 of all of `bytes`. */
export function digest64(bytes: Uint8Array): Digest64 {
  const out = h64.init().update(bytes).digest('binary');
  return new DataView(out.buffer, out.byteOffset, 8).getBigUint64(0, false);
}

/** XXH128 of the parts, as if they were one buffer: 32 hex digits. */
export function digest128(...parts: readonly Uint8Array[]): Digest128 {
  h128.init();
  for (const part of parts) h128.update(part);
  return h128.digest('hex');
}
