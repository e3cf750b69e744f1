/**
 * What happens while a disk stalls. In some stalls the lead goes from hand to hand among the other
 * members, each of which gives it on as soon as it may: what the stalled one was sent by the first
 * still waits to be written when it hears of the entries of the next ones, and of what they commit.
 */

import { codeOf } from '../../base/errors.js';
import type { Term } from '../../base/ids.js';
import type { SimNode } from '../cluster/sim-node.js';
import { PATHS } from '../model/paths.js';
import type { Strike } from './context.js';

/** Less than a way through the network takes. */
const LOOK_US = 1_000;
/** Enough for the log to go on twice without the stalled one. */
const MOST_MOVES = 12;

/** A sync of `stalled` has begun that ends after so long. */
export function moveLeaderMeanwhile({ context, random }: Strike, stalled: SimNode, stallUs: number): void {
  if (!random.chance(1, 2)) return;
  const { world, nodes, coverage } = context;
  const untilUs = Math.min(context.untilUs, world.nowUs + stallUs);
  let given: Term = 0;
  let moves = 0;
  const look = (): void => {
    if (world.nowUs >= untilUs || moves >= MOST_MOVES) return;
    world.schedule(LOOK_US, look);
    const up = nodes.filter((node) => node !== stalled && node.state === 'up');
    const leader = up.find(({ running }) => running?.replica.leadership.mayShapeTree === true);
    const others = up.filter((node) => node !== leader);
    if (leader?.running === undefined || others.length === 0) return;
    const { process, store, replica } = leader.running;
    const { term } = replica.leadership;
    if (term === given) return;
    given = term;
    moves++;
    coverage.branch(PATHS.ledOnDuringStall);
    store.moveLeader(random.pick(others).member).catch((error: unknown) => {
      if (process.alive && codeOf(error) === undefined) throw error;
    });
  };
  look();
}
