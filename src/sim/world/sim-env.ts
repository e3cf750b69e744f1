/**
 * Clock, background work and chance of one life of a node: what dies with it is never called again.
 */

import type { Clock, Workers } from '../../base/env.js';
import type { Process, World } from './world.js';
import type { Stream } from './random.js';
import { WallClocks } from './wall-clocks.js';

/** 2026-01-01: no run depends on when it is made. */
const WALL_START_MS = 1_767_225_600_000;
const TRUE_CLOCKS = new WallClocks();

/** `wall`: how the clock on the wall of its machine goes. */
export function simClock(world: World, process: Process, wall: WallClocks = TRUE_CLOCKS): Clock {
  return {
    now: () => world.timeOf(process) / 1000,
    wallNow: () => WALL_START_MS + Math.floor(world.timeOf(process) / 1000) + wall.offsetMs(process.node, world.timeOf(process)),
    setTimer: (delayMs, fn) => world.schedule(delayMs * 1000 + 1, fn, process),
    defer: (fn) => void world.schedule(1, fn, process),
  };
}

/**
 * Breathes often, and now and then for long: what another event can change between two slices, it
 * gets to change.
 */
export function simWorkers(world: World, process: Process, random: Stream): Workers {
  let left = 0;
  return {
    breathe: () => {
      if (left-- > 0) return undefined;
      left = random.below(24);
      return world.sleep(random.chance(1, 16) ? random.tail(4_000) : 50, process);
    },
  };
}
