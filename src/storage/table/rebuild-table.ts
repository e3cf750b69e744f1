/**
 * The exact bytes of a table once more, from what is left of a file and from elsewhere: region by
 * region its own bytes, its own bytes corrected, or a fetched payload. All are verified payloads
 * from which the region is made anew, and the file digest at the end must be the one that a
 * majority confirmed when the table was born (H3, S6).
 */

import { assert } from '../../base/assert.js';
import type { Disk, DiskFile } from '../../base/disk.js';
import { decodeBlock } from '../block/block-codec.js';
import { StorageError } from '../base/errors.js';
import type { TableMeta } from './table-meta.js';
import { FileDigest } from './file-digest.js';
import { blockUnreadable, FILE_MISSING } from './read-block.js';
import { BEYOND_END, regenerate, TableImage, type FetchPayload, type Pace } from './table-image.js';

interface RebuildSources {
  /** Default true. False: through the page cache. */
  readonly readDirect?: boolean;
  /** Asked for each block that is beyond parity here. */
  readonly fetch?: FetchPayload | undefined;
}

interface RebuildOptions extends RebuildSources {
  /** Between two windows. */
  readonly pace?: Pace | undefined;
  /** Where the table goes, in file order without gaps; the bytes belong to the callee. */
  readonly out: Pick<DiskFile, 'write'>;
}

interface RebuildReport {
  readonly bytes: number;
  readonly correctedBlocks: number;
  readonly fetchedBlocks: number;
}

/**
 * Rejects with StorageError BLOCK_UNREADABLE or TABLE_UNREADABLE if a block is nowhere to be had,
 * DIGEST_MISMATCH if what was written is not the table (a fault of this machine's memory). What was
 * written by then is worthless.
 */
export async function rebuildTable(disk: Disk, path: string, meta: TableMeta, options: RebuildOptions): Promise<RebuildReport> {
  const windows = rebuiltWindows(disk, path, meta, options);
  let offset = 0;
  try {
    for (let step = await windows.next(); ; step = await windows.next()) {
      if (step.done === true) return step.value;
      const { length } = step.value;
      await options.out.write(step.value, offset);
      offset += length;
      await options.pace?.breathe(length);
    }
  } finally {
    await windows.return(undefined as never);
  }
}

/**
 * The same for who takes the bytes as they come: in file order without gaps, and worthless unless
 * it ends without an error. They belong to the caller. It may be left at any window.
 */
export async function* rebuiltWindows(
  disk: Disk, path: string, meta: TableMeta, sources: RebuildSources,
): AsyncGenerator<Uint8Array, RebuildReport, undefined> {
  const image = new TableImage(disk, path, meta, sources);
  const digest = new FileDigest();
  let correctedBlocks = 0;
  try {
    for await (const window of image.windows(await image.regions())) {
      const out = new Uint8Array(window.bytes.length);
      for (const region of window.regions) {
        const at = region.offset - window.offset;
        const decoded = at >= window.present ? BEYOND_END : decodeBlock(window.bytes.subarray(at, at + region.length), region.spec);
        let payload = decoded.kind === 'unreadable' ? undefined : decoded.payload;
        if (decoded.kind === 'corrected') correctedBlocks++;
        if (decoded.kind === 'unreadable') {
          payload = await image.fetch(region);
          if (!payload) throw blockUnreadable(meta, region, region.spec, image.missing ? FILE_MISSING : decoded.why);
        }
        assert(payload?.length === region.spec.payloadBytes, 'H3 only a payload that was verified is written');
        if (payload) out.set(regenerate(payload, region), at);
      }
      assert(window.offset === digest.length, 'H3 a table is written in file order, without gaps');
      digest.update(out);
      yield out;
    }
  } finally {
    image.close();
  }
  assert(digest.length === meta.bytes, 'H3 every byte of a table is written');
  const made = digest.digest();
  if (made !== meta.fileDigest) {
    const data = { tableId: meta.id, got: made, expected: meta.fileDigest };
    throw new StorageError('DIGEST_MISMATCH', `H3 table ${meta.id} was rebuilt with another digest`, data);
  }
  return { bytes: meta.bytes, correctedBlocks, fetchedBlocks: image.fetchedBlocks };
}
