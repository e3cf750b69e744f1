/** How far a scrub is, and what it found. */

export interface ScrubStatus {
  readonly state: 'idle' | 'running';
  readonly scannedBytes: number;
  readonly totalBytes: number;
  readonly scannedTables: number;
  readonly totalTables: number;
  /** Blocks, and copies of the hard state, found bad in this or the last run. */
  readonly faults: number;
  /** Milliseconds since 1970; null before the first. */
  readonly lastCompletedAt: number | null;
  /** Whether reads pass the page cache here. */
  readonly pastCache: boolean;
}

export const NOTHING_SCRUBBED: ScrubStatus = {
  state: 'idle', scannedBytes: 0, totalBytes: 0, scannedTables: 0, totalTables: 0, faults: 0, lastCompletedAt: null, pastCache: true,
};

export interface ScrubReport {
  readonly tables: number;
  readonly blocks: number;
  readonly bytes: number;
  readonly faults: number;
  readonly pastCache: boolean;
  readonly durationMs: number;
}
