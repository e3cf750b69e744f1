/**
 * A member's data directory, looked at: hard state, manifest and log, decoded by the code that the
 * node itself uses.
 */

import type { Disk } from '../../base/disk.js';
import { CodecError } from '../../base/errors.js';
import type { EccScheme } from '../../ecc/scheme.js';
import { DEFAULT_SCHEME, formatScheme } from '../../ecc/scheme.js';
import { decodeSlot, SLOT_BYTES, SLOT_PAGES, slotOffset, type HardStateRecord } from '../../replica/hard-state/slots.js';
import { resolve, type Resolution } from '../../replica/log/resolve.js';
import { scanSegment, type SegmentScan } from '../../replica/log/scan.js';
import { DEFAULT_SEGMENT_BYTES, generationOf, segmentName } from '../../replica/log/segment-layout.js';
import { locateBlock } from '../../storage/block/header.js';
import { readManifestFile, type ManifestContents } from '../../storage/version/manifest-reader.js';
import { PAGE_BYTES, readFrame } from '../../storage/version/manifest-record.js';
import { pathOf } from '../../storage/version/manifest-files.js';
import { SCHEMES_TO_TRY } from './schemes.js';

export interface HardStateView {
  /** One per copy; undefined where it is damaged. */
  readonly slots: readonly (HardStateRecord | undefined)[];
  /** What the node would take: two copies agree on it. Undefined: it would refuse to start. */
  readonly record: HardStateRecord | undefined;
  readonly pastCache: boolean;
}

/** Throws CodecError if there is none. */
export async function readHardState(disk: Disk, path = 'hardstate'): Promise<HardStateView> {
  if (disk.sizeOf(path) === undefined) throw new CodecError(`there is no ${path} here: this is not a member's data directory, or the member never started`);
  const slots: (HardStateRecord | undefined)[] = [];
  let pastCache = true;
  for (let slot = 0; slot < SLOT_PAGES.length; slot++) {
    const read = await disk.readDirect(path, slotOffset(slot), SLOT_BYTES).catch(() => undefined);
    pastCache &&= read?.pastCache === true;
    slots.push(read && decodeSlot(read.bytes, slot));
  }
  const highest = Math.max(0, ...slots.map((slot) => slot?.sequence ?? 0));
  const agreeing = slots.filter((slot) => slot?.sequence === highest);
  const older = slots.filter((slot) => slot !== undefined && slots.filter((other) => other?.sequence === slot.sequence).length >= 2);
  const record = agreeing.length >= 2 ? agreeing[0] : older.sort((a, b) => (b?.sequence ?? 0) - (a?.sequence ?? 0))[0];
  return { slots, record, pastCache };
}

export interface ManifestView extends ManifestContents {
  readonly path: string;
  readonly scheme: string;
  readonly generation: number;
}

/**
 * The scheme that the first readable record says of itself; the chain and the digests judge whether
 * that is so.
 */
async function manifestScheme(disk: Disk, path: string): Promise<EccScheme | undefined> {
  const size = Math.min(disk.sizeOf(path) ?? 0, 16 * 1024 * 1024);
  const { bytes } = await disk.readDirect(path, 0, size);
  for (let at = 0; at < bytes.length; at += PAGE_BYTES) {
    if (readFrame(bytes, at) === undefined) continue;
    for (let start = at; start < Math.min(at + PAGE_BYTES, bytes.length); start += 8) {
      const block = locateBlock(bytes.subarray(0, start + 4096), start);
      if (block?.type === 'manifest') return block.scheme;
    }
  }
  return undefined;
}

/** The manifest that hard state names. Throws CodecError or StorageError MANIFEST_UNREADABLE. */
export async function readManifest(disk: Disk, hardState: HardStateRecord): Promise<ManifestView> {
  const name = { generation: hardState.manifestGeneration, digest: hardState.manifestDigest };
  if (name.generation === 0) throw new CodecError('hard state names no manifest yet: the member has not started once');
  const path = pathOf(name.generation);
  const said = await manifestScheme(disk, path);
  let failure: unknown;
  for (const scheme of said === undefined ? SCHEMES_TO_TRY : [said, DEFAULT_SCHEME]) {
    try {
      return { ...(await readManifestFile(disk, path, name, scheme)), path, scheme: formatScheme(scheme), generation: name.generation };
    } catch (error) {
      failure ??= error;
    }
  }
  throw failure;
}

export interface LogView {
  readonly segments: readonly SegmentScan[];
  readonly resolution: Resolution;
}

/**
 * As the node would judge it at open, without changing anything. `manifest` says up to where
 * entries are in tables, and which edit is the last.
 */
export async function readLog(disk: Disk, manifest: ManifestContents['manifest'] | undefined): Promise<LogView> {
  const names = await disk.list('log');
  const generations = names.map(generationOf).filter((generation) => generation !== undefined).sort((a, b) => a - b);
  if (generations.length === 0) throw new CodecError('there are no log segments here');
  const segments: SegmentScan[] = [];
  for (const generation of generations) segments.push(await scanSegment(disk, segmentName('log', generation), generation, DEFAULT_SEGMENT_BYTES));
  const evidence = { knownCommit: manifest?.last.index ?? 0, flushedIndex: manifest?.flushed.index ?? 0 };
  return { segments, resolution: resolve(segments, evidence) };
}
