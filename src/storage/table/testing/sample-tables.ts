/** Tables for tests: made of plain entries, put on a memory disk, damaged byte by byte. */

import { utf8 } from '../../../base/bytes.js';
import { MemoryDisk } from '../../../base/disk/memory-disk.js';
import { parseScheme } from '../../../ecc/scheme.js';
import { BlockCache } from '../../cache/block-cache.js';
import { encodeInternalKey } from '../../base/key.js';
import { DEFAULT_TREE_SETTINGS, type TableFormat } from '../../base/settings.js';
import { tablePath, type Birth, type TableMeta } from '../table-meta.js';
import type { BlockFaults, Region } from '../block-faults.js';
import { TableStore } from '../table-store.js';
import { TableWriter } from '../table-writer.js';
import { slotOf, type TableEntry } from './table-entry.js';

export const BIRTH: Birth = { term: 3, proposer: 0x8e9e05c52164694d % 2 ** 50, sequence: 4711, ordinal: 1 };

export function formatWith(scheme: string, blockBytes = 256, filterBitsPerKey = 10): TableFormat {
  return { ...DEFAULT_TREE_SETTINGS.format, scheme: parseScheme(scheme), blockBytes, filterBitsPerKey };
}

/** `count` keys with one to three versions each. */
export function sampleEntries(count: number, seed = 1): TableEntry[] {
  const entries: TableEntry[] = [];
  let revision = seed;
  for (let i = 0; i < count; i++) {
    const key = utf8(`/registry/pods/${String(i).padStart(5, '0')}`);
    const versions = 1 + ((i * 7 + seed) % 3);
    for (let v = versions; v > 0; v--) {
      const tombstone = v === versions && i % 5 === 4;
      const liveDelta = tombstone ? -1 : v === 1 ? 1 : 0;
      const value = tombstone ? new Uint8Array(0) : utf8(`value ${i} of version ${v} `.repeat(1 + (i % 4)));
      const at = revision + v;
      entries.push({ internalKey: encodeInternalKey(1, key, at, v), tombstone, liveDelta, value, revision: at, userSpace: true });
    }
    revision += versions;
  }
  return entries;
}

export interface MadeTable {
  readonly meta: TableMeta;
  readonly bytes: Uint8Array;
}

export function makeTable(entries: readonly TableEntry[], format: TableFormat, id = 1, birth = BIRTH): MadeTable {
  const writer = new TableWriter(format, birth);
  for (const entry of entries) writer.add(slotOf(entry));
  const produced = writer.finish();
  const bytes = new Uint8Array(produced.bytes);
  let at = 0;
  for (const chunk of writer.takeChunks()) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  const head = writer.headFooter();
  bytes.set(head.bytes, head.offset);
  return { meta: { ...produced, id }, bytes };
}

/** Writes `bytes` as the file of table `id`. */
export function putFile(disk: MemoryDisk, id: number, bytes: Uint8Array): void {
  const file = disk.openSync(tablePath(id), 'create');
  file.writeSync(bytes, 0);
  file.close();
}

export async function diskWith(...tables: readonly MadeTable[]): Promise<MemoryDisk> {
  const disk = new MemoryDisk();
  await disk.mkdir('tables');
  for (const { meta, bytes } of tables) putFile(disk, meta.id, bytes);
  return disk;
}

/** Remembers what it was told, and patches from a map. */
export class RecordedFaults implements BlockFaults {
  readonly correctedAt: Region[] = [];
  readonly unreadableAt: Region[] = [];
  readonly patches = new Map<number, Uint8Array>();

  corrected(_meta: TableMeta, region: Region): void {
    this.correctedAt.push(region);
  }

  unreadable(_meta: TableMeta, region: Region): void {
    this.unreadableAt.push(region);
  }

  patch(_meta: TableMeta, offset: number): Uint8Array | undefined {
    return this.patches.get(offset);
  }
}

export function openStore(disk: MemoryDisk, faults: BlockFaults, cacheBytes = 1 << 20): TableStore {
  return new TableStore(disk, new BlockCache(cacheBytes), faults);
}
