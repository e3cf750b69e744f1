/** Files of a member's disk, as a test looks at them and spoils them behind its back. */

import type { Disk } from '../../base/disk.js';

export function bytesOf(disk: Disk, path: string): Uint8Array {
  const file = disk.openSync(path, 'read');
  const bytes = new Uint8Array(file.size());
  file.readSync(bytes, 0);
  file.close();
  return bytes;
}

/** In place; durable when it resolves. `change` gets all of the file, and keeps its length. */
export async function rewrite(disk: Disk, path: string, change: (bytes: Uint8Array) => void): Promise<void> {
  const bytes = bytesOf(disk, path);
  change(bytes);
  await replace(disk, path, bytes);
}

/** In place, length included; durable when it resolves. */
export async function replace(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = disk.openSync(path, 'write');
  file.writeSync(bytes, 0);
  await file.truncate(bytes.length);
  await file.sync();
  file.close();
}

/** Bytes `from` (inclusive) to `to` (exclusive) become others: nothing of them is left. */
export function spoil(disk: Disk, path: string, from: number, to: number): Promise<void> {
  return rewrite(disk, path, (bytes) => bytes.fill(0x5a, from, to));
}

/** Bytes `from` (inclusive) to `to` (exclusive) are not what they were. */
export function rot(disk: Disk, path: string, from: number, to: number): Promise<void> {
  return rewrite(disk, path, (bytes) => bytes.subarray(from, to).forEach((byte, i) => (bytes[from + i] = byte ^ 0x5a)));
}
