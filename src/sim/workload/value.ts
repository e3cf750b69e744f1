/**
 * Values that prove themselves: number, checksum, padding. A store that returns other bytes than
 * some client wrote is caught by the client that reads them (S4). Equal numbers are equal bytes,
 * and the order of numbers is the order of values.
 */

import { DAMAGED_VALUE, NO_VALUE } from './history/operation.js';

export const MIN_VALUE_BYTES = 10;
const HEAD_BYTES = 8;

/** Over everything but the checksum itself, length included. */
function checksum(bytes: Uint8Array): number {
  let hash = 0x811c9dc5 ^ bytes.length;
  for (let i = 0; i < 4; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  for (let i = HEAD_BYTES; i < bytes.length; i++) hash = Math.imul(hash ^ (bytes[i] as number), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d);
  return (hash ^ (hash >>> 13)) >>> 0;
}

/** Padding is noise for odd numbers; for even ones it repeats, as text does. */
export function encodeValue(value: number, length: number): Uint8Array {
  const bytes = new Uint8Array(Math.max(length, MIN_VALUE_BYTES));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, value);
  let noise = Math.imul(value + 1, 0x9e3779b9) | 1;
  for (let i = HEAD_BYTES; i < bytes.length; i++) {
    if ((value & 1) === 1) {
      noise ^= noise << 13;
      noise ^= noise >>> 17;
      noise ^= noise << 5;
      bytes[i] = noise;
    } else bytes[i] = 97 + ((i + (value >>> 1)) % 23);
  }
  view.setUint32(4, checksum(bytes));
  return bytes;
}

/** The number, {@link NO_VALUE} for no bytes, or {@link DAMAGED_VALUE}. */
export function decodeValue(bytes: Uint8Array): number {
  if (bytes.length === 0) return NO_VALUE;
  if (bytes.length < MIN_VALUE_BYTES) return DAMAGED_VALUE;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return view.getUint32(4) === checksum(bytes) ? view.getUint32(0) : DAMAGED_VALUE;
}
