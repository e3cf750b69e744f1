/**
 * Cuts off a node that is the only one with something that another needs: a good copy of a block,
 * or an entry of a log. Nothing is lost by it, so whoever needs it must wait, and must not call it
 * lost, cut it off or make it up.
 */

import type { LogIndex, NodeId } from '../../base/ids.js';
import type { SimNetwork } from '../network/sim-network.js';
import type { Stream } from '../world/random.js';
import { keepLooking, type DiskContext } from './context.js';
import { readSegments } from './log-places.js';
import { entriesOn } from './spare-entries.js';

const MS = 1_000;
const SECOND_US = 1_000 * MS;
const LOOK_US = 500 * MS;
/** A minute: there must be damage first. */
const LOOKS = 120;

/** Waits for a lone copy, for a bounded time. The cut ends by itself. */
export function cutOffLoneCopy(context: DiskContext, network: SimNetwork, random: Stream): void {
  const { world, coverage, nodes, untilUs } = context;
  const look = (): boolean => {
    const lone = blockHolder(context) ?? entryHolder(context);
    if (lone === undefined) return false;
    coverage.fault('lone-copy-cut');
    if (world.trace.taping) world.trace.row(world.nowUs, lone, 'it has the only copy of something, and is cut off');
    const others = nodes.filter(({ id }) => id !== lone);
    const undos = others.flatMap(({ id }) => [network.cuts.cut(lone, id), network.cuts.cut(id, lone)]);
    const forUs = Math.min(random.between(3, 30) * SECOND_US, untilUs - world.nowUs);
    world.schedule(forUs, () => {
      for (const undo of undos) undo();
    });
    return true;
  };
  if (!look()) keepLooking(context, LOOK_US, LOOKS, look);
}

/** Of a block that is beyond parity elsewhere. */
function blockHolder({ nodes, oracle: { census, verdict } }: DiskContext): NodeId | undefined {
  for (const { id } of nodes) {
    for (const meta of census.durableTablesOf(id)) {
      for (const { region, state } of census.faultsOf(id, meta) ?? []) {
        if (state !== 'beyond') continue;
        const holder = verdict.goodCopyOf(meta.fileDigest, region.offset)?.node;
        if (holder !== undefined && verdict.goodCopyOf(meta.fileDigest, region.offset, holder) === undefined) return holder;
      }
    }
  }
  return undefined;
}

/** Of an entry that another has lost. */
function entryHolder({ nodes, oracle: { census, verdict }, settings }: DiskContext): NodeId | undefined {
  const lacking = nodes.filter(({ id }) => verdict.lacksEntries(id));
  if (lacking.length === 0) return undefined;
  const logs = new Map(nodes.map(({ id, disk }) => [id, entriesOn(readSegments(disk, settings.logSegmentBytes))]));
  for (const { id } of lacking) {
    const flushed = census.durableOf(id)?.flushed.index ?? 0;
    const holders = new Map<LogIndex, NodeId[]>();
    for (const [other, entries] of logs) {
      if (other === id) continue;
      for (const index of entries.keys()) {
        if (index > flushed && logs.get(id)?.has(index) !== true) holders.set(index, [...(holders.get(index) ?? []), other]);
      }
    }
    for (const [lone, ...more] of holders.values()) if (more.length === 0) return lone;
  }
  return undefined;
}
