/**
 * What lies at a place of a file, by its path and offset alone: log, hard state and manifest have
 * fixed areas.
 */

import { layoutOf, HEADER_BYTES, MAX_SEGMENT_BYTES } from '../../replica/log/segment-layout.js';
import type { Structure } from '../model/fault.js';

/** The file as a whole, also under a name that a fault gave it. */
export function fileStructure(path: string): Structure {
  if (path.startsWith('tables/')) return 'table-file';
  if (path.startsWith('log/')) return 'log-file';
  if (path.startsWith('manifest/')) return 'manifest-file';
  if (path.startsWith('hardstate')) return 'hardstate-file';
  if (path.startsWith('hints')) return 'hints-file';
  if (path.startsWith('repairs/')) return 'repairs-file';
  return 'directory';
}

/**
 * The part of the file at `offset`. Tables have none until they are whole: see {@link partOfTable}.
 * A segment is of `segmentBytes`, or larger, for a large entry: as large as the file is.
 */
export function structureAt(path: string, offset: number, segmentBytes: number, fileBytes: number | undefined): Structure {
  const file = fileStructure(path);
  if (file === 'manifest-file') return 'manifest-record';
  if (file === 'hardstate-file') return 'hardstate-slot';
  return file === 'log-file' ? partOfLog(offset, segmentBytes, fileBytes ?? 0) : file;
}

function partOfLog(offset: number, segmentBytes: number, fileBytes: number): Structure {
  const enlarged = fileBytes > segmentBytes && fileBytes % HEADER_BYTES === 0 && fileBytes <= MAX_SEGMENT_BYTES;
  const layout = layoutOf(enlarged ? fileBytes : segmentBytes);
  if (offset < HEADER_BYTES || offset >= layout.identityEnd) return 'log-header';
  return offset >= layout.identityStart ? 'log-identity' : 'log-record';
}
