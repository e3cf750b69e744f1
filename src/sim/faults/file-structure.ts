/**
 * What lies at a place of a file, by its path and offset: log, hard state and manifest have fixed
 * areas. Where entries and identities share one, what an identity does not begin at counts as
 * entries.
 */

import { IDENTITY_MAGIC } from '../../replica/log/identity-codec.js';
import { decodeHeader, layoutOf, HEADER_BYTES, MAX_SEGMENT_BYTES, STRIPED } from '../../replica/log/segment-layout.js';
import { isOfIdentity, ownPath } from '../disk/default-structure.js';
import type { SimDisk } from '../disk/sim-disk.js';
import type { Structure } from '../model/fault.js';

/** The file as a whole, also under a name that a fault gave it. */
export function fileStructure(of: string): Structure {
  const path = ownPath(of);
  if (path.startsWith('tables/')) return 'table-file';
  if (path.startsWith('log/')) return 'log-file';
  if (path.startsWith('manifest/')) return 'manifest-file';
  if (path.startsWith('hardstate')) return 'hardstate-file';
  if (path.startsWith('hints')) return 'hints-file';
  if (path.startsWith('promises')) return 'promises-file';
  if (isOfIdentity(path)) return 'joined-file';
  // Nothing is lost with the reserve, as with a repair.
  if (path.startsWith('repairs/') || path.startsWith('reserve')) return 'repairs-file';
  return 'directory';
}

/**
 * The part of the file at `offset`. Tables have none until they are whole: see {@link partOfTable}.
 * A segment is of `segmentBytes`, or larger, for a large entry: as large as the file is.
 */
export function structureAt(path: string, offset: number, segmentBytes: number, disk: Pick<SimDisk, 'medium'>): Structure {
  const file = fileStructure(path);
  if (file === 'manifest-file') return 'manifest-record';
  if (file === 'hardstate-file') return 'hardstate-slot';
  return file === 'log-file' ? partOfLog(offset, segmentBytes, disk.medium(path) ?? NOTHING) : file;
}

const NOTHING = new Uint8Array(0);

function partOfLog(offset: number, segmentBytes: number, bytes: Uint8Array): Structure {
  const enlarged = bytes.length > segmentBytes && bytes.length % HEADER_BYTES === 0 && bytes.length <= MAX_SEGMENT_BYTES;
  const layout = layoutOf(enlarged ? bytes.length : segmentBytes);
  if (offset < HEADER_BYTES || offset >= layout.identityEnd) return 'log-header';
  const header = decodeHeader(bytes, 0) ?? decodeHeader(bytes, layout.identityEnd);
  if (header?.format !== STRIPED) return offset >= layout.identityStart ? 'log-identity' : 'log-record';
  return beginsWith(bytes, offset, IDENTITY_MAGIC) ? 'log-identity' : 'log-record';
}

function beginsWith(bytes: Uint8Array, at: number, magic: number): boolean {
  if (at + 4 > bytes.length) return false;
  return new DataView(bytes.buffer, bytes.byteOffset + at, 4).getUint32(0, true) === magic;
}
