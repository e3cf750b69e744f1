/**
 * The shape of what watches and holds leases in a run, drawn apart from all else. Bounds are small,
 * so that watchers fall behind what is in memory, streams are full, and history is read in parts.
 */

import { KiB } from '../../base/bytes.js';
import type { World } from '../world/world.js';

export interface StreamSettings {
  readonly watchClients: number;
  readonly leaseClients: number;
  /** Of events that wait in one stream. */
  readonly streamBytes: number;
  /** Of history that is read in one part. */
  readonly windowBytes: number;
  /** Of the newest revisions, in memory. */
  readonly recentBytes: number;
  readonly progressNotifyMs: number;
}

export function streamSettings(world: World): StreamSettings {
  const random = world.stream('streams settings');
  return {
    watchClients: random.between(1, 3),
    leaseClients: random.between(1, 2),
    streamBytes: random.pick([2, 4, 8, 16]) * KiB,
    windowBytes: random.pick([1, 4, 16, 64]) * KiB,
    recentBytes: random.pick([4, 16, 64, 1_024]) * KiB,
    progressNotifyMs: random.pick([1_000, 3_000, 10_000]),
  };
}
