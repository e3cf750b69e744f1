/**
 * How a table tells of faults, and where repaired bytes come from. Storage never calls upward
 * otherwise.
 */

import type { TableMeta } from './table-meta.js';

export type RegionKind = 'footer' | 'data' | 'filter' | 'properties' | 'index';

/** A stretch of a table's file that holds one block. Regions follow each other without gaps. */
export interface Region {
  readonly kind: RegionKind;
  readonly offset: number;
  /** header + payload + padding + parity + mirror */
  readonly length: number;
}

/** All methods are called synchronously from within a read and must not throw. */
export interface BlockFaults {
  /** Parity restored the block at this read; the right bytes were served. */
  corrected(meta: TableMeta, region: Region, how: string): void;
  /** Beyond parity, and patch() had nothing: the read fails. */
  unreadable(meta: TableMeta, region: Region, why: string): void;
  /**
   * The payload of the block at `offset`, as repaired from a peer; checked against the digest
   * before use.
   */
  patch(meta: TableMeta, offset: number): Uint8Array | undefined;
}

/** Nobody listens, nothing is patched. */
export const noFaults: BlockFaults = { corrected: () => undefined, unreadable: () => undefined, patch: () => undefined };
