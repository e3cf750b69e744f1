/**
 * Who a member is that was not there when its cluster began, or that began one alone with what was
 * left of another: the file `joined`. With whom the log began is known to nobody but members, and a
 * member must know it before its first entry; so it is needed at every start, and goes before the
 * flags.
 */

import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import type { Disk } from '../../base/disk.js';
import { CodecError } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { replaceFile } from '../../base/replace-file.js';
import { decodeDescription, encodeDescription, type ClusterDescription } from '../state/description.js';

export const JOINED_FILE = 'joined';

export interface Joined {
  readonly self: NodeId;
  /** As the members told it, this one among them. */
  readonly description: ClusterDescription;
}

/** Durable when it resolves. */
export async function writeJoined(disk: Disk, { self, description }: Joined): Promise<void> {
  const body = new ByteWriter(256).u53(self).bytes(encodeDescription(description)).finish();
  await replaceFile(disk, JOINED_FILE, new ByteWriter(body.length + 4).u32(crc32c(body)).raw(body).finish());
}

/** Undefined: there is none. Rejects with CodecError and DiskError. */
export async function readJoined(disk: Disk): Promise<Joined | undefined> {
  const size = disk.sizeOf(JOINED_FILE);
  if (size === undefined) return undefined;
  const file = await disk.open(JOINED_FILE, 'read');
  try {
    const bytes = new Uint8Array(size);
    await file.read(bytes, 0);
    const input = new ByteReader(bytes, JOINED_FILE);
    if (input.u32() !== crc32c(bytes.subarray(4))) throw new CodecError('its checksum is wrong');
    return { self: input.u53(), description: decodeDescription(input.bytes()) };
  } finally {
    file.close();
  }
}
