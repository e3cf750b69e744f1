/**
 * Scrub of one table: every byte is read past the caches, every block decoded, and its region made
 * anew from the verified payload and compared, so that rot in parity, padding, headers and mirrors
 * is found while no data has been lost yet. A table is pristine if and only if every byte is what
 * it was when the table was born.
 */

import { assert } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import { equalBytes } from '../../base/bytes.js';
import { messageOf } from '../../base/errors.js';
import { decodeBlock } from '../block/block-codec.js';
import { StorageError } from '../base/errors.js';
import type { TableMeta } from './table-meta.js';
import type { RegionKind } from './block-faults.js';
import { FileDigest } from './file-digest.js';
import { regenerate, TableImage, type FetchPayload, type Pace } from './table-image.js';
import type { SpecifiedRegion } from './table-layout.js';

export interface TableFault {
  /**
   * corrected: the payload needed parity. unreadable: beyond parity. parity: the payload is good,
   * other bytes of the region (header, padding, parity, mirror) or bytes after the table's end are
   * not. missing: no file, or it ends before this.
   */
  readonly kind: 'corrected' | 'unreadable' | 'parity' | 'missing';
  readonly region: RegionKind | 'file';
  readonly offset: number;
  readonly length: number;
  readonly why: string;
}

interface VerifyOptions {
  /** Default true. False: through the page cache. */
  readonly readDirect?: boolean;
  /** Between two windows. */
  readonly pace?: Pace | undefined;
  /** Asked only for a footer or index that is beyond parity, to be able to go on. */
  readonly fetch?: FetchPayload | undefined;
}

export interface VerifyReport {
  /** Read. */
  readonly bytes: number;
  readonly faults: readonly TableFault[];
  /** Every byte is what it was when the table was born. */
  readonly pristine: boolean;
  /** All bytes came past the caches. */
  readonly pastCache: boolean;
}

/** What is wrong with one region of which `present` bytes could be had; undefined: nothing. */
function judge(stored: Uint8Array, present: number, region: SpecifiedRegion): TableFault | undefined {
  const { kind: name, offset, length } = region;
  const fault = (kind: TableFault['kind'], why: string): TableFault => ({ kind, region: name, offset, length, why });
  if (present < length) return fault('missing', `the file has ${Math.max(0, present)} of ${length} bytes`);
  const decoded = decodeBlock(stored, region.spec);
  switch (decoded.kind) {
    case 'unreadable':
      return fault('unreadable', decoded.why);
    case 'corrected':
      return fault('corrected', decoded.how);
    case 'clean': {
      const fresh = regenerate(decoded.payload, region);
      return equalBytes(stored, fresh) ? undefined : fault('parity', 'bytes beside the payload differ');
    }
  }
}

/**
 * The answer of one region read by name, past the caches where possible: is the fault still there?
 */
export async function recheckRegion(
  disk: Disk,
  path: string,
  meta: TableMeta,
  region: SpecifiedRegion,
): Promise<{ readonly fault: TableFault | undefined; readonly pastCache: boolean }> {
  const image = new TableImage(disk, path, meta, {});
  const { bytes, present } = await image.read(region.offset, region.length);
  return { fault: judge(bytes, present, region), pastCache: image.pastCache };
}

export async function verifyTable(disk: Disk, path: string, meta: TableMeta, options: VerifyOptions = {}): Promise<VerifyReport> {
  const faults: TableFault[] = [];
  const report = (fault: TableFault): void => void faults.push(fault);
  const image = new TableImage(disk, path, meta, options);
  const digest = new FileDigest();
  let bytes = 0;
  try {
    const regions = await layoutOf(image, report);
    for await (const window of image.windows(regions)) {
      assert(window.offset === digest.length, 'S4 a table is verified in file order, without gaps');
      for (const region of window.regions) {
        const at = region.offset - window.offset;
        const fault = judge(window.bytes.subarray(at, at + region.length), window.present - at, region);
        if (fault) report(fault);
      }
      digest.update(window.bytes);
      bytes += window.present;
      await options.pace?.breathe(window.bytes.length);
    }
    assert(regions.length === 0 || digest.length === meta.bytes, 'S4 every byte of a table is looked at');
    const excess = image.size() - meta.bytes;
    const end = { region: 'file', offset: meta.bytes } as const;
    if (excess > 0) report({ ...end, kind: 'parity', length: excess, why: `${excess} bytes after the end of the table` });
    if (faults.length === 0 && digest.digest() !== meta.fileDigest) {
      report({ region: 'file', kind: 'unreadable', offset: 0, length: meta.bytes, why: 'S4 all blocks verify, the file digest does not' });
    }
  } finally {
    image.close();
  }
  return { bytes, faults, pristine: faults.length === 0, pastCache: image.pastCache };
}

/** The regions; only the footers, with the rest of the file reported, if they cannot be found. */
async function layoutOf(image: TableImage, report: (fault: TableFault) => void): Promise<readonly SpecifiedRegion[]> {
  try {
    return await image.regions();
  } catch (error) {
    if (!(error instanceof StorageError)) throw error;
    const kind = image.size() < image.meta.bytes ? 'missing' : 'unreadable';
    report({ kind, region: 'file', offset: 0, length: image.meta.bytes, why: messageOf(error) });
    return [];
  }
}
