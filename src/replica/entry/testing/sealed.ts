/** Entries as a later program could make them: sound, of any kind and format. */

import { crc32c } from '../../../base/crc32c.js';

export function sealed(kind: number, format: number, body: Uint8Array = Uint8Array.of(1, 2, 3)): Uint8Array {
  const data = new Uint8Array(6 + body.length);
  data.set([kind, format]);
  data.set(body, 6);
  new DataView(data.buffer).setUint32(2, crc32c(body, crc32c(data.subarray(0, 2))), true);
  return data;
}
