/**
 * Carries out one action of the plan of profiles with `+ops`: what hosts do, and those who look
 * after them. What clocks on the wall show is no action: see `clockJumps`.
 */

import type { LogIndex } from '../../base/ids.js';
import type { DiskImage } from '../disk/sim-disk.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { FaultAction, OpsFault } from '../model/fault.js';
import type { Stream } from '../world/random.js';
import type { WallClocks } from '../world/wall-clocks.js';
import type { World } from '../world/world.js';
import { pauseFor, startAgain, type ProcessContext } from './strike-process.js';

export interface OpsContext extends ProcessContext {
  /** An operator begins a backup there. False: nobody answers. */
  readonly backup: (node: SimNode, random: Stream) => boolean;
  /** An older copy was put in place of this directory; its log ends at `last` or before. */
  readonly aged: (node: SimNode, last: LogIndex) => void;
}

const MS = 1_000;
const SECOND_US = 1_000_000;
const MINUTE_MS = 60_000;

/** What the clocks of a run do, by the actions that are to happen. */
export function clockJumps(world: World, wall: WallClocks, machines: number, actions: readonly FaultAction[]): number {
  let jumps = 0;
  for (const { id, kind, atUs } of actions) {
    if (kind !== 'clock-jump') continue;
    jumps++;
    const random = world.stream(`fault ${id}`);
    const one = random.between(1, machines);
    // All at once: the time of the data centre was set.
    const struck = random.chance(1, 4) ? Array.from({ length: machines }, (_, i) => i + 1) : [one];
    const size = random.pick([1_000, MINUTE_MS, 60 * MINUTE_MS, 24 * 60 * MINUTE_MS, 3_650 * 24 * 60 * MINUTE_MS]);
    const byMs = (random.chance(1, 2) ? 1 : -1) * random.between(1, 9) * size;
    // Some are set right again.
    const backUs = random.chance(1, 2) ? random.between(1, 60) * SECOND_US : undefined;
    for (const machine of struck) {
      wall.jump(machine, atUs, byMs);
      if (backUs !== undefined) wall.jump(machine, atUs + backUs, -byMs);
    }
  }
  return jumps;
}

/** Calls `context.struck` if and when it strikes. */
export function strikeOps(context: OpsContext, action: FaultAction): void {
  const { world, cluster, coverage } = context;
  const kind = action.kind as OpsFault;
  const random = world.stream(`fault ${action.id}`);
  const struck = (): void => {
    coverage.fault(kind);
    context.struck();
  };
  const node = random.pick(cluster.members);
  switch (kind) {
    case 'clock-jump':
      return;
    case 'long-pause':
      if (pauseFor(context, random.chance(1, 2) ? (cluster.leader() ?? node) : node, random.between(2, 60) * SECOND_US)) struck();
      return;
    case 'backup':
      if (context.backup(node, random)) struck();
      return;
    case 'older-copy':
      olderCopy(context, node, random, struck);
  }
}

/** Of a moment up to minutes ago: other leaders, other lives and other tables may lie between. */
function olderCopy(context: OpsContext, node: SimNode, random: Stream, struck: () => void): void {
  if (node.state !== 'up' || !context.mayForget(node)) return;
  const { world } = context;
  const image = node.disk.image();
  const { member } = node;
  // What is on its way to the medium at this moment is there soon, and not in the copy.
  const last = node.running?.replica.driver.node.lastIndex ?? 0;
  world.schedule(random.between(5, 180) * SECOND_US, () => {
    // Another member's directory would be no older one of its own.
    if (node.member !== member || node.state !== 'up' || world.nowUs >= context.untilUs || !context.mayForget(node)) return;
    const how = random.pick(HOW);
    context.coverage.branch(`older copy ${how}`);
    context.forgets(node, 'roll-back');
    void putBack(context, node, { image, last }, random, how);
    struck();
  });
}

/**
 * running: in place of the directory of a process that goes on, and ends later. stopped: by an
 * operator who stops it and starts it again. killed: its machine goes back to what it was.
 */
const HOW = ['running', 'stopped', 'killed'] as const;

async function putBack(
  context: OpsContext, node: SimNode, { image, last }: { image: DiskImage; last: LogIndex }, random: Stream, how: (typeof HOW)[number],
): Promise<void> {
  const { world, cluster } = context;
  if (how === 'running') {
    // Whatever ends it: on this directory it starts only where it can hear all others.
    cluster.hold(node);
    node.disk.swap(image);
    await world.sleep(Math.min(random.tail(10_000 * MS), context.untilUs - world.nowUs));
  }
  if (how === 'stopped') await cluster.stop(node);
  else cluster.down(node, 'kill');
  if (how === 'running') cluster.up(node);
  node.disk.restore(image);
  context.aged(node, last);
  startAgain(context, node, image, random);
}
