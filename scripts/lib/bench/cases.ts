/**
 * What is measured, in which order, and what is demanded of it. Reads come before the writes that
 * change which keys there are, so that every server answers them over the same keys, whatever its
 * speed; deletes come last.
 */

import type { BenchKind } from '../load/protocol.js';

export interface BenchCase {
  readonly name: string;
  readonly kind: BenchKind;
  readonly clients: number;
  /** Demanded: our rate over that of the best etcd in the same rounds. */
  readonly floor?: number;
  /** Demanded: our p99 over the lowest of the etcds. */
  readonly p99AtMost?: number;
}

/** The first puts of a fresh cluster; always measured, because the other cases need the keys. */
export const LOAD: BenchCase = { name: 'load@256', kind: 'fill', clients: 256 };

/**
 * Of these the later rate is taken, which {@link LOAD} is held against: as many puts, so that both
 * pay for the same flushes.
 */
export const LATER = 'later@256';
/** Demanded: our rate of {@link LOAD} over our own of {@link LATER}. */
export const WARM_UP_FLOOR = 0.8;

export const CASES: readonly BenchCase[] = [
  { name: 'get@1', kind: 'get', clients: 1, floor: 1 },
  { name: 'get@64', kind: 'get', clients: 64, floor: 1.8 },
  { name: 'get@256', kind: 'get', clients: 256, floor: 1.8 },
  { name: 'sget@64', kind: 'sget', clients: 64 },
  { name: 'sget@256', kind: 'sget', clients: 256, floor: 2 },
  { name: 'range@64', kind: 'range', clients: 64, floor: 2 },
  { name: 'rangelim@64', kind: 'rangelim', clients: 64, floor: 25 },
  { name: 'mixed@64', kind: 'mixed', clients: 64, floor: 1.5 },
  { name: 'cas@64', kind: 'cas', clients: 64 },
  { name: 'cas@256', kind: 'cas', clients: 256, floor: 1.3 },
  { name: 'put@1', kind: 'put', clients: 1, floor: 1 },
  { name: 'put@64', kind: 'put', clients: 64, floor: 1.2 },
  { name: 'put@256', kind: 'put', clients: 256, floor: 1.2, p99AtMost: 1 },
  { name: 'watch@100', kind: 'watch', clients: 100, floor: 1 },
  { name: 'keepalive@64', kind: 'keepalive', clients: 64 },
  { name: LATER, kind: 'more', clients: 256 },
  { name: 'delete@256', kind: 'delete', clients: 256, floor: 1.2 },
];
