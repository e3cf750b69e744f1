/**
 * Carries out one network action of the plan: draws what exactly it is and how long it lasts, and
 * heals it by itself. All chance comes from the action's own stream, so that leaving out another
 * action changes nothing here. Actions may overlap; each undoes only what it did.
 */

import { KiB } from '../../base/bytes.js';
import type { NodeId } from '../../base/ids.js';
import type { Coverage } from '../model/coverage.js';
import { NETWORK_FAULTS, type FaultAction, type NetworkFault } from '../model/fault.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import { bridge, clientCut, halves, isolateOne, majoritiesRing, oneWay, type Undo } from './partitions.js';
import type { SimNetwork } from './sim-network.js';
import { FAIR, type Weather } from './weather.js';

export interface StrikeNetworkContext {
  readonly world: World;
  readonly network: SimNetwork;
  readonly nodes: readonly NodeId[];
  readonly clients: number;
  readonly coverage: Coverage;
}

const MS = 1_000;
const SECOND = 1_000 * MS;

/** Actions of other classes are not for here: they do nothing. */
export function strikeNetwork(ctx: StrikeNetworkContext, action: FaultAction): void {
  const kind = NETWORK_FAULTS.find((name) => name === action.kind);
  if (kind === undefined) return;
  const { world, coverage } = ctx;
  const random = world.stream(`fault ${action.id}`);
  const forUs = drawDuration(random);
  if (world.trace.taping) world.trace.row(world.nowUs, 0, `fault ${action.id}: ${kind} for ${Math.round(forUs / MS)} ms`);
  coverage.fault(kind);
  const cut = cutOf(ctx, kind);
  if (cut === undefined) bluster(ctx, kind, random, forUs);
  else if (random.chance(1, 6)) flap(ctx, cut, random, world.nowUs + forUs);
  else world.schedule(forUs, cut(random));
}

/**
 * Everything whole from now on: no cuts, clogs or storms, fair weather. What an earlier action
 * undoes later changes nothing any more.
 */
export function calm(network: SimNetwork): void {
  network.climate.calmStorms();
  network.climate.everyDay = FAIR;
  network.cuts.mendAll();
  network.cuts.unclogAll();
}

/** 0.2 to 20 s: shorter than an election, a few elections, or long enough that logs fall behind. */
function drawDuration(random: Stream): number {
  switch (random.below(4)) {
    case 0:
      return random.between(200 * MS, SECOND);
    case 1:
    case 2:
      return random.between(SECOND, 5 * SECOND);
    default:
      return random.between(5 * SECOND, 20 * SECOND);
  }
}

function cutOf(ctx: StrikeNetworkContext, kind: NetworkFault): ((random: Stream) => Undo) | undefined {
  const { network, nodes, clients } = ctx;
  switch (kind) {
    case 'isolate-one':
      return (random) => isolateOne(network, nodes, random);
    case 'halves':
      return (random) => halves(network, nodes, random);
    case 'bridge':
      return (random) => bridge(network, nodes, random);
    case 'majorities-ring':
      return (random) => majoritiesRing(network, nodes, random);
    case 'one-way':
      return (random) => oneWay(network, nodes, random);
    case 'client-cut':
      return (random) => clientCut(network, nodes, random, clients);
    case 'delay':
    case 'loss':
    case 'duplication':
    case 'reorder':
    case 'flipped-entry':
    case 'late-frames':
    case 'clog':
    case 'lone-copy-cut':
      return undefined;
  }
}

/** The cut comes and goes, drawn anew each time. */
function flap(ctx: StrikeNetworkContext, cut: (random: Stream) => Undo, random: Stream, untilUs: number): void {
  const { world, network } = ctx;
  const { mendings } = network.cuts;
  const undo = cut(random);
  world.schedule(Math.min(random.between(50 * MS, 1_500 * MS), untilUs - world.nowUs), () => {
    undo();
    const pauseUs = random.between(20 * MS, 800 * MS);
    if (world.nowUs + pauseUs >= untilUs) return;
    world.schedule(pauseUs, () => {
      if (network.cuts.mendings === mendings) flap(ctx, cut, random, untilUs);
    });
  });
}

/** Worse weather, or stopped pipes, on all links, those of one node, or one link. */
function bluster(ctx: StrikeNetworkContext, kind: NetworkFault, random: Stream, forUs: number): void {
  const { world, network, nodes } = ctx;
  const hits = drawLinks(nodes, random);
  if (kind !== 'clog') {
    world.schedule(forUs, network.climate.storm(stormOf(kind, random), hits));
    return;
  }
  const narrow = random.chance(1, 2) ? network.climate.storm({ queueBytes: random.pick([4, 16, 64]) * KiB }, hits) : undefined;
  if (narrow !== undefined) world.schedule(forUs, narrow);
  for (const from of nodes) {
    for (const to of nodes) if (from !== to && (hits === undefined || hits(from, to))) network.cuts.clog(from, to, forUs);
  }
}

function stormOf(kind: NetworkFault, random: Stream): Partial<Weather> {
  switch (kind) {
    case 'delay':
      return { delayMinUs: random.pick([1, 10, 50]) * MS, delayMeanUs: random.pick([20, 60, 150, 300]) * MS };
    case 'loss':
      return { lossIn1000: random.between(50, 600), callLossIn1000: random.between(50, 600), clientLossIn1000: random.pick([0, 50, 200]) };
    case 'flipped-entry':
      return { flipIn1000: random.pick([2, 20, 100]) };
    case 'late-frames':
      return { lateIn1000: random.pick([5, 30, 150]) };
    case 'duplication':
      return { duplicateIn1000: random.between(100, 900) };
    default:
      return { reorderIn1000: random.between(100, 600), delayMeanUs: random.pick([1, 5, 20]) * MS };
  }
}

/** Undefined: all. */
function drawLinks(nodes: readonly NodeId[], random: Stream): ((from: NodeId, to: NodeId) => boolean) | undefined {
  const one = random.pick(nodes);
  const other = random.pick(nodes.filter((id) => id !== one));
  switch (random.below(4)) {
    case 0:
    case 1:
      return undefined;
    case 2:
      return (from, to) => from === one || to === one;
    default:
      return (from, to) => from === one && to === other;
  }
}
