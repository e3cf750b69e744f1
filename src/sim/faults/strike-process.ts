/**
 * Carries out one action of the plan on processes. Each ends by itself, and never takes away what
 * the profile must leave.
 */

import { codeOf } from '../../base/errors.js';
import type { SimCluster } from '../cluster/sim-cluster.js';
import type { SimNode } from '../cluster/sim-node.js';
import type { Coverage } from '../model/coverage.js';
import type { DiskImage } from '../disk/sim-disk.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import type { FaultAction, ProcessFault } from '../model/fault.js';

export interface ProcessContext {
  readonly world: World;
  readonly cluster: SimCluster;
  readonly coverage: Coverage;
  readonly electionMs: number;
  /** No node stays down past this time. */
  readonly untilUs: number;
  /** The data directory of this node is about to be emptied or put back to an older state. */
  readonly forgets: (node: SimNode, what: 'wipe' | 'roll-back') => void;
  /** A majority stays to which nothing was done, damage included that has not shown yet. */
  readonly mayForget: (node: SimNode) => boolean;
  /** It and all others that run can hear each other now. */
  readonly hears: (node: SimNode) => boolean;
  /** Called when it is really done, not only planned. */
  readonly struck: () => void;
}

const MS = 1_000;
const SECOND_US = 1_000_000;
const HEARS_POLL_US = 100 * MS;

/** Calls `context.struck` if and when it strikes. */
export function strikeProcess(context: ProcessContext, action: FaultAction): void {
  const random = context.world.stream(`fault ${action.id}`);
  const kind = action.kind as ProcessFault;
  const struck = (): void => {
    context.coverage.fault(kind);
    context.struck();
  };
  // Drawn for itself: whether all goes or the log alone changes nothing of what else is drawn.
  const logAlone = kind === 'wipe' && context.world.stream(`fault ${action.id}, what goes`).chance(1, 5);
  if (kind === 'roll-back') rollBack(context, random.pick(context.cluster.members), random, struck);
  else if (logAlone) {
    if (forget(context, random.pick(context.cluster.members), 'its log', random)) struck();
  } else if (strike(context, kind, random)) struck();
}

function strike(context: ProcessContext, kind: Exclude<ProcessFault, 'roll-back'>, random: Stream): boolean {
  const { cluster, world } = context;
  const node = random.pick(cluster.members);
  switch (kind) {
    case 'crash':
      return crash(context, node, random);
    case 'crash-leader':
      return crash(context, cluster.leader() ?? node, random);
    case 'crash-mid-write':
      if (node.process === undefined) return false;
      node.disk.powerOffAfter(1 + random.tail(12));
      return true;
    case 'crash-all':
      return cluster.members.map((each) => crash(context, each, random)).includes(true);
    case 'restart-storm':
      for (let i = random.between(3, 8), at = 0; i > 0; i--, at += random.tail(400 * MS)) {
        const victim = random.chance(1, 2) ? node : random.pick(cluster.members);
        world.schedule(at, () => void (world.nowUs < context.untilUs && crash(context, victim, random, random.tail(300 * MS))));
      }
      return true;
    case 'pause':
      return pause(context, random.chance(1, 3) ? (cluster.leader() ?? node) : node, random);
    case 'scrub':
      return (random.chance(1, 2) ? cluster.nodes : [node]).map((each) => scrub(cluster, each)).includes(true);
    case 'orderly-restart':
      if (node.state !== 'up') return false;
      void cluster.stop(node).then(() => void world.schedule(random.tail(2 * SECOND_US), () => cluster.up(node)));
      return true;
    case 'move-leader': {
      const leader = cluster.leader();
      if (leader?.running === undefined || leader === node) return false;
      const { process, store } = leader.running;
      store.moveLeader(node.member).catch((error: unknown) => {
        if (codeOf(error) === undefined) cluster.threw(process, error);
      });
      return true;
    }
    case 'wipe':
      return forget(context, node, 'all', random);
  }
}

function downTime(random: Stream): number {
  return random.chance(1, 4) ? random.between(5, 40) * SECOND_US : 20 * MS + random.tail(2 * SECOND_US);
}

function crash(context: ProcessContext, node: SimNode, random: Stream, forUs = downTime(random)): boolean {
  if (node.state === 'fenced' || node.state === 'away') return false;
  const alive = node.process !== undefined;
  // Who is down already stays down longer: also a fault, but not one that struck a process.
  context.cluster.down(node, random.chance(2, 3) ? 'power' : 'kill');
  context.world.schedule(forUs, () => context.cluster.up(node));
  return alive;
}

/** As an operator may ask for at any time, however many are asked for. Its node may end first. */
function scrub(cluster: SimCluster, { running }: SimNode): boolean {
  if (running === undefined) return false;
  const { process, store } = running;
  store.scrub(() => undefined).catch((error: unknown) => {
    if (codeOf(error) === undefined) cluster.threw(process, error);
  });
  return true;
}

function pause(context: ProcessContext, node: SimNode, random: Stream): boolean {
  if (node.process === undefined) return false;
  const { electionMs } = context;
  return pauseFor(context, node, random.chance(1, 2) ? electionMs * MS * random.between(1, 4) : 10 * MS + random.tail(electionMs * MS));
}

/** Its event loop does nothing meanwhile, and time goes on. False: there is no process. */
export function pauseFor({ world }: Pick<ProcessContext, 'world'>, { process }: SimNode, forUs: number): boolean {
  if (process === undefined) return false;
  world.pause(process);
  world.schedule(forUs, () => world.resume(process));
  return true;
}

/** To a state that this run was in. */
function rollBack(context: ProcessContext, node: SimNode, random: Stream, struck: () => void): void {
  if (node.state !== 'up' || !context.mayForget(node)) return;
  const image = node.disk.image();
  const { member } = node;
  context.world.schedule(random.between(1, 30) * SECOND_US, () => {
    // Another member's directory would be no older one of its own.
    if (node.member === member && context.world.nowUs < context.untilUs && forget(context, node, image, random)) struck();
  });
}

/**
 * The directory of one node loses its memory, all or that of the log, or gets back an older one. At
 * most a minority may ever be without: the others keep what was promised, and only they can tell.
 */
function forget(context: ProcessContext, node: SimNode, what: DiskImage | 'all' | 'its log', random: Stream): boolean {
  const { cluster } = context;
  const image = typeof what === 'string' ? undefined : what;
  if (node.state === 'fenced' || node.state === 'away' || (image === undefined && node.state !== 'up') || !context.mayForget(node)) return false;
  context.forgets(node, image === undefined ? 'wipe' : 'roll-back');
  cluster.down(node, 'kill');
  if (image !== undefined) node.disk.restore(image);
  else if (what === 'all') node.disk.wipe();
  else for (const { path } of node.disk.list()) if (path.startsWith('log/')) node.disk.remove(path);
  startAgain(context, node, image, random);
  return true;
}

/** The node is down, and was told to stay so. */
export function startAgain(context: ProcessContext, node: SimNode, image: DiskImage | undefined, random: Stream): void {
  const { cluster, world } = context;
  // An emptied node waits until it can ask the others; one with an older copy goes on without those
  // whom it cannot reach, and they may be the only ones that know better.
  const mayStart = (): boolean => image === undefined || world.nowUs >= context.untilUs || context.hears(node);
  const start = (): void => (mayStart() ? cluster.up(node) : void world.schedule(HEARS_POLL_US, start));
  world.schedule(downTime(random), start);
}
