/**
 * The cursor that walks the entries of a table. An internal key is opaque, ordered bytes to a
 * table, but for its last SEQUENCE_BYTES: what comes before them is one user key, which the filter
 * holds.
 */

/** Inverted revision (8) and sub (4) at the end of each internal key. */
export const SEQUENCE_BYTES = 12;

/**
 * Walks a table in key order, both ways. Synchronous; any move may throw StorageError
 * BLOCK_UNREADABLE, after which the cursor is invalid and may be positioned again. Getters may be
 * used only while `valid`; a cursor that is not stays so until it is positioned.
 */
export interface TableCursor {
  readonly valid: boolean;
  /** A view that the next move overwrites. */
  readonly key: Uint8Array;
  /**
   * A view into the block, which is never written again: it may be kept (and keeps the block in
   * memory).
   */
  readonly value: Uint8Array;
  readonly tombstone: boolean;
  readonly liveDelta: number;
  /** To the first entry at or after `target`. */
  seek(target: Uint8Array): void;
  seekToFirst(): void;
  seekToLast(): void;
  next(): void;
  prev(): void;
}
