/**
 * The shape of a run, drawn from its seed (swarm testing, Groce et al. 2012: what differs from run
 * to run is not only chance but what chance may do). Sizes are small, so that logs are truncated,
 * memtables flushed, tables compacted and snapshots sent within minutes.
 */

import { KiB } from '../../base/bytes.js';
import type { ClusterVersion } from '../../base/ids.js';
import { FIRST_VERSION, NEWEST_VERSION, VERSION_2 } from '../../replica/base/protocol.js';
import { DEFAULT_TREE_SETTINGS, type TreeSettings } from '../../storage/base/settings.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import type { FaultProfile } from './fault.js';
import type { StreamSettings } from './stream-settings.js';

export interface RunSettings {
  /** 3 or 5. */
  readonly nodes: number;
  readonly clients: number;
  readonly keys: number;
  readonly heartbeatMs: number;
  readonly electionMs: number;
  readonly logSegmentBytes: number;
  readonly cacheBytes: number;
  readonly tree: TreeSettings;
  /**
   * Of the cluster, as far as the programs of all members know in the beginning: now and then an
   * older one.
   */
  readonly newestVersion: ClusterVersion;
  /** What the program knows to which operators upgrade the members. Missing: they do not. */
  readonly upgradesTo?: ClusterVersion;
  /** Of a run whose clients watch and hold leases. */
  readonly streams?: StreamSettings;
  /** Faults may begin here. */
  readonly faultsFromUs: number;
  /** From here on everything is whole again and must come to rest. */
  readonly faultsUntilUs: number;
  /** At least 600 s of cluster time. */
  readonly endUs: number;
}

const SECOND_US = 1_000_000;

/** Parity of each kind is met, the default most often. */
const SCHEMES: readonly TreeSettings['format']['scheme'][] = [
  DEFAULT_TREE_SETTINGS.format.scheme, DEFAULT_TREE_SETTINGS.format.scheme, { kind: 'rs', k: 4, m: 2 }, { kind: 'xor', k: 8 }, { kind: 'secded' },
];

export function runSettings(world: World): RunSettings {
  const random = world.stream('settings');
  const heartbeatMs = random.pick([50, 100, 100, 200]);
  const memtableBytes = random.pick([8, 12, 16, 24, 32]) * KiB;
  return {
    // Five with the shortest heartbeat are twice the events of any other run and show nothing that
    // others do not.
    nodes: random.chance(1, 5) && heartbeatMs >= 100 ? 5 : 3,
    clients: random.between(4, 10),
    keys: random.pick([20, 60, 60, 150]),
    heartbeatMs,
    electionMs: heartbeatMs * random.pick([8, 10, 10]),
    // A transaction of large values takes some 30 KiB: more than the smallest segment has room for.
    logSegmentBytes: random.pick([32, 64, 96, 128]) * KiB,
    cacheBytes: random.pick([16, 64, 256]) * KiB,
    tree: drawTree(random, memtableBytes),
    newestVersion: random.chance(1, 5) ? random.pick([FIRST_VERSION, VERSION_2]) : NEWEST_VERSION,
    // From the first moment: while members meet for the first time, and nobody leads.
    faultsFromUs: random.chance(1, 3) ? 0 : 5 * SECOND_US,
    faultsUntilUs: 530 * SECOND_US,
    endUs: 600 * SECOND_US,
  };
}

function drawTree(random: Stream, memtableBytes: number): TreeSettings {
  return {
    format: {
      ...DEFAULT_TREE_SETTINGS.format,
      blockBytes: random.pick([512, 1 * KiB, 1 * KiB, 2 * KiB]),
      scheme: random.pick(SCHEMES),
      filterBitsPerKey: random.pick([10, 10, 4]),
      tableBytes: random.pick([16, 32, 32, 64]) * KiB,
    },
    memtableBytes,
    level0Tables: random.pick([2, 2, 3, 4]),
    level1Bytes: memtableBytes * random.pick([3, 4, 6]),
    levelRatio: random.pick([3, 4, 10]),
  };
}

/**
 * What that life of a machine is started with. Flags say only what a new cluster begins with: once
 * there is one, others must change nothing.
 */
export function flagsOf(world: World, { tree, cacheBytes }: RunSettings, node: number, life: number): Pick<RunSettings, 'tree' | 'cacheBytes'> {
  const random = world.stream(`flags ${node} ${life}`);
  if (life === 1 || !random.chance(1, 3)) return { tree, cacheBytes };
  return { tree: drawTree(random, random.pick([8, 12, 16, 24, 32]) * KiB), cacheBytes: random.pick([16, 64, 256]) * KiB };
}

/**
 * The programs of a run. `drawn`: what all members may know in the beginning where nothing asks for
 * more: members come, go and are re-admitted from the second version on.
 */
export function programsOf(world: World, profile: FaultProfile, drawn: ClusterVersion): Pick<RunSettings, 'newestVersion' | 'upgradesTo'> {
  const upgrades = world.stream('programs').chance(1, 2);
  const first = profile === 'table' ? drawn : profile === 'members' && upgrades ? VERSION_2 : NEWEST_VERSION;
  return upgrades && first < NEWEST_VERSION ? { newestVersion: first, upgradesTo: NEWEST_VERSION } : { newestVersion: first };
}
