/** The copies of the records of a node's manifest file, as the medium has them. */

import { DEFAULT_TREE_SETTINGS } from '../../storage/base/settings.js';
import { decodeSlot, SLOT_BYTES, SLOT_PAGES, slotOffset, type HardStateRecord } from '../../replica/hard-state/slots.js';
import { pathOf, THIRD_COPY_AT, thirdCopyPath } from '../../storage/version/manifest-files.js';
import { copyBytes, PAGE_BYTES, readCopy, readFrame, type Frame } from '../../storage/version/manifest-record.js';
import type { SimDisk } from '../disk/sim-disk.js';

export interface CopyPlace {
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  readonly frame: Frame;
}

/** The slots that are sound. */
export function readSlots(disk: SimDisk): { readonly slot: number; readonly record: HardStateRecord }[] {
  const bytes = disk.medium('hardstate');
  if (bytes === undefined) return [];
  return SLOT_PAGES.flatMap((_, slot) => {
    const record = decodeSlot(bytes.subarray(slotOffset(slot), slotOffset(slot) + SLOT_BYTES), slot);
    return record === undefined ? [] : [{ slot, record }];
  });
}

/** The file that counts: the one that the newest hard state names. */
export function manifestPath(disk: SimDisk): string | undefined {
  let newest: HardStateRecord | undefined;
  for (const { record } of readSlots(disk)) if (newest === undefined || record.sequence > newest.sequence) newest = record;
  return newest === undefined || newest.manifestGeneration === 0 ? undefined : pathOf(newest.manifestGeneration);
}

/** Both files of the generation that counts. */
export function manifestPaths(disk: SimDisk): string[] {
  const path = manifestPath(disk);
  return path === undefined ? [] : [path, thirdCopyPath(path)];
}

/** The first and second ones, then the third ones. Copies whose frame is bad are not among them. */
export function readCopies(disk: SimDisk): CopyPlace[] {
  const path = manifestPath(disk);
  return path === undefined ? [] : [...copiesIn(disk, path, 0), ...copiesIn(disk, thirdCopyPath(path), THIRD_COPY_AT)];
}

/** In file order. */
function copiesIn(disk: SimDisk, path: string, from: number): CopyPlace[] {
  const bytes = disk.medium(path);
  if (bytes === undefined) return [];
  const copies: CopyPlace[] = [];
  for (let at = from; at + PAGE_BYTES <= bytes.length; ) {
    const frame = readFrame(bytes, at);
    const length = frame === undefined ? PAGE_BYTES : copyBytes(frame.payloadBytes, DEFAULT_TREE_SETTINGS.format.scheme);
    if (frame !== undefined && at + length <= bytes.length) copies.push({ path, offset: at, length, frame });
    at += length;
  }
  return copies;
}

/** Whether every byte of the copy is as it was written. */
export function isClean(disk: SimDisk, { path, offset, frame }: CopyPlace): boolean {
  const bytes = disk.medium(path);
  if (bytes === undefined) return false;
  const place = { generation: frame.generation, record: frame.record, chain: frame.chain };
  return readCopy(bytes, offset, place, DEFAULT_TREE_SETTINGS.format.scheme)?.clean === true;
}

/** The other copies of the same record. */
export function othersOf(copies: readonly CopyPlace[], copy: CopyPlace): CopyPlace[] {
  const { generation, record } = copy.frame;
  return copies.filter((other) => other !== copy && other.frame.record === record && other.frame.generation === generation);
}

/** Another copy of the same record that is whole. */
export function spareOf(disk: SimDisk, copies: readonly CopyPlace[], copy: CopyPlace): CopyPlace | undefined {
  return othersOf(copies, copy).find((other) => isClean(disk, other));
}

/** Of each record there is a whole copy in another file than the one at `path`. */
export function isWholeWithout(disk: SimDisk, path: string): boolean {
  const copies = readCopies(disk);
  const left = copies.filter((copy) => copy.path !== path && isClean(disk, copy));
  return left.length > 0 && copies.every(({ frame: { record } }) => left.some(({ frame }) => frame.record === record));
}
