/**
 * How a log is opened: where it is, how large its files are, and what the durable manifest says.
 */

import type { LogIndex, Term } from '../../base/ids.js';

export interface LogOptions {
  /** Directory in the data directory. Default 'log'. */
  readonly dir?: string;
  /**
   * Bytes of a new segment file. Default 16 MiB; 32 KiB to 1 GiB; segments that exist keep their
   * size.
   */
  readonly segmentBytes?: number;
  /** Bytes of recent entries kept in memory; older ones are read from the disk. Default 32 MiB. */
  readonly cacheBytes?: number;
  /**
   * The materialized index of the durable manifest: entries up to here were once in this log, and a
   * log that ends before is damaged. What a snapshot brought is excepted, see
   * {@link DurableLog.expectSnapshot}. Default 0.
   */
  readonly knownCommit?: LogIndex;
  /**
   * Of the durable manifest: damaged entries up to here are not needed, the log then begins after
   * them. Default 0.
   */
  readonly flushedIndex?: LogIndex;
  /** Of the entry at `flushedIndex`. Default 0. */
  readonly flushedTerm?: Term;
  /** A log with a torn tail is not opened but given as it is. Default false. */
  readonly keepsTorn?: boolean;
  /** A log that begins later than what tables hold is damaged: not opened but given as it is. */
  readonly fillsGap?: boolean;
  /** What is missing before its first entry is not wanted back, also where it is written anew. */
  readonly keepsGap?: boolean;
}
