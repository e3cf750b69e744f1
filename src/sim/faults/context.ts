/**
 * What all strikes on disks share: which nodes they may hit, who hears of each strike, and which
 * faults still wait to strike.
 */

import type { LogIndex, NodeId } from '../../base/ids.js';
import type { DamageOracle } from '../oracle/damage-oracle.js';
import type { SimNode } from '../cluster/sim-node.js';
import { areaOf } from '../oracle/damage.js';
import { PATHS } from '../model/paths.js';
import type { Coverage } from '../model/coverage.js';
import type { RunSettings } from '../model/settings.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import type { DiskFault, FaultProfile, Structure } from '../model/fault.js';
import { structureAt } from './file-structure.js';

export interface DiskContext {
  readonly world: World;
  /** Members: the machines on which one lives. */
  readonly nodes: readonly SimNode[];
  readonly profile: FaultProfile;
  readonly settings: Omit<RunSettings, 'faultsUntilUs'>;
  /**
   * No fault strikes from here on, whatever it waited for: a run may end them earlier than its
   * settings say.
   */
  readonly untilUs: number;
  readonly oracle: DamageOracle;
  readonly coverage: Coverage;
  readonly pending: PendingStrikes;
}

/**
 * Structures that survive one fault at a time: while one waits to strike, no other is done to the
 * same part of the node.
 */
export type Part = 'hardstate' | 'manifest' | 'log';

/** One attempt to carry out an action. */
export interface Strike {
  readonly context: DiskContext;
  readonly random: Stream;
  readonly kind: DiskFault;
  readonly structure: Structure;
}

/** Which parts of which node a fault may still strike. Of one run: it ends with it. */
export class PendingStrikes {
  readonly #world: Pick<World, 'nowUs'>;
  /** `<node> <part>` to the time until which a fault may still strike it. */
  readonly #untilUs = new Map<string, number>();

  constructor(world: Pick<World, 'nowUs'>) {
    this.#world = world;
  }

  has(node: NodeId, part: Part): boolean {
    return (this.#untilUs.get(`${node} ${part}`) ?? 0) > this.#world.nowUs;
  }

  begin(node: NodeId, part: Part, untilUs: number): void {
    this.#untilUs.set(`${node} ${part}`, untilUs);
  }

  end(node: NodeId, part: Part): void {
    this.#untilUs.delete(`${node} ${part}`);
  }
}

/**
 * To be called once in a run, before anything starts: from here on a power loss says exactly what
 * it hit.
 */
export function openDiskContext(of: Omit<DiskContext, 'pending'>): DiskContext {
  const { logSegmentBytes } = of.settings;
  for (const node of of.nodes) tellStructures(node, logSegmentBytes);
  const pending = new PendingStrikes(of.world);
  const all = of.nodes;
  return {
    ...of, pending,
    get nodes() {
      return all.filter(({ state }) => state !== 'away');
    },
  };
}

/** From here on a power loss of this machine says exactly what it hit. */
export function tellStructures({ disk }: SimNode, logSegmentBytes: number): void {
  disk.structureOf = (path, offset) => structureAt(path, offset, logSegmentBytes, disk);
}

/** It struck: counted, and told to the oracle. */
export function struck(
  { context, kind, structure }: Strike, node: NodeId, path: string, offset: number, length: number, grave = false,
): void {
  const { world, coverage, oracle, nodes } = context;
  coverage.fault(kind, structure);
  if (grave) {
    const others = nodes.filter((other) => other.id !== node);
    const area = areaOf(path);
    if (area === 'log' && others.some((other) => oracle.verdict.lacksEntries(other.id))) coverage.branch(PATHS.logsDamagedTogether);
    if (area === 'manifest' && others.some((other) => oracle.verdict.lostManifest(other.id))) coverage.branch(PATHS.manifestsLostTogether);
  }
  oracle.noteDamage(node, path, offset, length, kind, grave);
  world.trace.fold(offset, length);
  if (world.trace.taping) {
    world.trace.row(world.nowUs, node, `fault: ${kind} of ${structure}${grave ? ' (grave)' : ''}, ${path} at ${offset}, ${length} bytes`);
  }
}

/**
 * Whether damage that a node need not survive may be done to this one: only to a minority, and only
 * if the others have all that it has. Always false in profile `table`.
 */
export function mayDoom({ profile, nodes, oracle }: DiskContext, node: SimNode): boolean {
  if (profile === 'table') return false;
  // Asked of the others first: one that has only stopped for a while, because its disk refused
  // something, counts as doomed itself. And who lacks entries may need those of this node.
  if (!oracle.verdict.maySpare(node.id)) return false;
  if (oracle.verdict.beyondRecall(node.id)) return true;
  // Whoever is down may be behind: what it lacks must not depend on this node.
  return nodes.every((each) => each === node || oracle.verdict.doomed(each.id) || each.state === 'up') && oracle.verdict.mayLose(node.id);
}

/**
 * Whether this node may lose its manifest. It takes the version of another, so all must be up, one
 * of them must have a version that reaches to its log, and nobody may lack entries that the tables
 * of this version make up for. Some others may have lost theirs as well if one that has not reaches
 * as far as all of those.
 */
export function mayLoseVersion({ nodes, oracle, profile }: DiskContext, node: SimNode): boolean {
  const { verdict, census } = oracle;
  const others = nodes.filter((each) => each !== node && each.state !== 'away');
  const counted = ({ id, state }: SimNode): boolean => state === 'up' && !verdict.beyondRecall(id) && !verdict.lacksEntries(id);
  if (verdict.doomed(node.id) || !others.every(counted)) return false;
  const flushed = ({ id }: SimNode): LogIndex => census.durableOf(id)?.flushed.index ?? 0;
  const lost = others.filter(({ id }) => verdict.lostManifest(id));
  if (lost.length > 0 && profile !== 'full') return false;
  const begins = node.running === undefined ? flushed(node) : node.running.replica.log.firstIndex() - 1;
  const needed = lost.length === 0 ? begins : Math.max(...[node, ...lost].map(flushed));
  return others.some((each) => !lost.includes(each) && flushed(each) >= needed);
}

/**
 * Waits for what must be there before the strike. Looks at most so often, and never once the faults
 * are over, because `look` (true: it is done) may strike.
 */
export function keepLooking(context: DiskContext, everyUs: number, looks: number, look: () => boolean): void {
  if (looks <= 0) return;
  const { world, untilUs } = context;
  world.schedule(everyUs, () => {
    if (world.nowUs < untilUs && !look()) keepLooking(context, everyUs, looks - 1, look);
  });
}
