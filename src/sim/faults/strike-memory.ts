/**
 * A bit that flips in a leader's memory: in an entry that its own disk has as it should be, and
 * that a follower does not have yet. Nothing is lost by it; but whoever is sent this copy refuses
 * it, and so the leader must notice that its own is bad. At once, it is on its way to the follower
 * already, and the leader itself is to apply it; later, the follower is away and needs it when it
 * is back.
 *
 * Never in an entry that is being carried out: it was as it should be when it was read, and only
 * the digests of what comes of it tell of a later flip.
 */

import type { LogIndex, NodeId } from '../../base/ids.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { Coverage } from '../model/coverage.js';
import { PATHS } from '../model/paths.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';

interface MemoryContext {
  readonly world: World;
  readonly nodes: readonly SimNode[];
  readonly coverage: Coverage;
  /** Nothing flips from here on. */
  readonly untilUs: number;
}

const AT_ONCE = { lookUs: 1_000, looks: 5_000, stands: 0 };
/** A follower that has stood still for 0.4 s. */
const LATER = { lookUs: 20_000, looks: 3_000, stands: 20 };

/** Waits for an entry to strike, for a bounded time. */
export function flipInMemory({ world, nodes, coverage, untilUs }: MemoryContext, random: Stream): void {
  const { lookUs, looks, stands } = random.pick([AT_ONCE, LATER]);
  const stood = new Map<NodeId, { readonly needed: LogIndex; looks: number }>();
  let left = looks;
  const look = (): void => {
    if (left-- <= 0 || world.nowUs >= untilUs) return;
    const leader = nodes.find(({ state, running }) => state === 'up' && running?.replica.driver.node.isLeader === true);
    for (const { id } of nodes) {
      const needed = leader === undefined ? undefined : neededBy(id, leader);
      const before = stood.get(id);
      if (needed === undefined) stood.delete(id);
      else if (before?.needed === needed) before.looks++;
      else stood.set(id, { needed, looks: 0 });
      if (leader === undefined || (stood.get(id)?.looks ?? -1) < stands) continue;
      if (flip(leader, needed as LogIndex, random)) return coverage.branch(PATHS.flippedInMemory);
    }
    world.schedule(lookUs, look);
  };
  look();
}

/** The first entry in the leader's durable log that it must send to this member. */
function neededBy(member: NodeId, { id, running }: SimNode): LogIndex | undefined {
  if (running === undefined || member === id) return undefined;
  const { log, driver } = running.replica;
  const needed = driver.node.matchOf(member) + 1;
  return needed < log.firstIndex() || needed > log.lastIndex() ? undefined : needed;
}

function flip({ running }: SimNode, index: LogIndex, random: Stream): boolean {
  if (running === undefined) return false;
  const { log, applier } = running.replica;
  if (applier.backlog > 0 && index === applier.index + 1) return false;
  const [entry] = log.entries(index, index + 1);
  if (entry?.type !== 'normal' || entry.data.length === 0) return false;
  const bit = random.below(8 * entry.data.length);
  entry.data[bit >> 3] = (entry.data[bit >> 3] as number) ^ (1 << (bit & 7));
  return true;
}
