/**
 * How bad the network is. Each seed has a weather of its own (swarm testing: some runs know no
 * loss, others no reordering), faults worsen it for a while. Chances are per thousand, so that a
 * draw is one integer.
 */

import { KiB, MiB } from '../../base/bytes.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';

export interface Weather {
  /** Every way takes at least this, and on average about `delayMeanUs` more, with a long tail. */
  readonly delayMinUs: number;
  readonly delayMeanUs: number;
  /** Frames that vanish. */
  readonly lossIn1000: number;
  /** Frames that come again later. */
  readonly duplicateIn1000: number;
  /** Frames that are overtaken by those behind them. */
  readonly reorderIn1000: number;
  /** Frames that arrive only when whoever sent them has forgotten them, elections later. */
  readonly lateIn1000: number;
  /** Requests that never arrive, and as many replies. */
  readonly callLossIn1000: number;
  /** Messages between clients and nodes that vanish, each way. */
  readonly clientLossIn1000: number;
  /** Frames in which a bit of an entry flipped before they were made. */
  readonly flipIn1000: number;
  /** The connection breaks at a frame, and comes back soon. */
  readonly resetIn100000: number;
  /**
   * A link holds so much that has not arrived; frames beyond it are dropped. One frame always fits.
   */
  readonly queueBytes: number;
}

/** Nothing goes wrong; a local network's delays. */
export const FAIR: Weather = {
  delayMinUs: 100,
  delayMeanUs: 200,
  lossIn1000: 0,
  duplicateIn1000: 0,
  reorderIn1000: 0,
  lateIn1000: 0,
  callLossIn1000: 0,
  clientLossIn1000: 0,
  flipIn1000: 0,
  resetIn100000: 0,
  queueBytes: 64 * MiB,
};

/** The everyday weather of a seed: a cluster works under it. */
export function seedWeather(world: World): Weather {
  const random = world.stream('weather');
  return {
    delayMinUs: random.pick([50, 100, 200, 1_000]),
    delayMeanUs: random.pick([100, 300, 300, 1_000, 4_000, 12_000]),
    lossIn1000: random.pick([0, 0, 0, 1, 5, 20]),
    duplicateIn1000: random.pick([0, 0, 0, 2, 10, 40]),
    reorderIn1000: random.pick([0, 0, 0, 2, 10, 40]),
    lateIn1000: 0,
    callLossIn1000: random.pick([0, 0, 0, 5, 20]),
    clientLossIn1000: random.pick([0, 0, 0, 1, 3]),
    flipIn1000: 0,
    resetIn100000: random.pick([0, 0, 1, 5, 20]),
    queueBytes: random.pick([64 * MiB, 64 * MiB, MiB, 256 * KiB, 64 * KiB]),
  };
}

/** How long one way takes, drawn. */
export function delayUs({ delayMinUs, delayMeanUs }: Weather, random: Stream): number {
  return delayMinUs + random.tail(delayMeanUs);
}

/** Both at once: whatever is worse. */
export function worse(a: Weather, b: Partial<Weather>): Weather {
  return {
    delayMinUs: Math.max(a.delayMinUs, b.delayMinUs ?? 0),
    delayMeanUs: Math.max(a.delayMeanUs, b.delayMeanUs ?? 0),
    lossIn1000: Math.max(a.lossIn1000, b.lossIn1000 ?? 0),
    duplicateIn1000: Math.max(a.duplicateIn1000, b.duplicateIn1000 ?? 0),
    reorderIn1000: Math.max(a.reorderIn1000, b.reorderIn1000 ?? 0),
    lateIn1000: Math.max(a.lateIn1000, b.lateIn1000 ?? 0),
    callLossIn1000: Math.max(a.callLossIn1000, b.callLossIn1000 ?? 0),
    clientLossIn1000: Math.max(a.clientLossIn1000, b.clientLossIn1000 ?? 0),
    flipIn1000: Math.max(a.flipIn1000, b.flipIn1000 ?? 0),
    resetIn100000: Math.max(a.resetIn100000, b.resetIn100000 ?? 0),
    queueBytes: Math.min(a.queueBytes, b.queueBytes ?? Infinity),
  };
}
