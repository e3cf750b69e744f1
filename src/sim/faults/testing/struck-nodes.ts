/**
 * Real files to strike: a cluster of the shipping replica runs for a while, and then its nodes lie
 * down with what their disks hold. Each trial gets disks of its own, and what a node would make of
 * them at its next start can be asked.
 */

import { put } from '../../../api/testing/requests.js';
import { HardStateStore, type HardStateRecord } from '../../../replica/hard-state/hard-state.js';
import { NEWEST_VERSION } from '../../../replica/base/protocol.js';
import { Membership } from '../../../replica/state/membership.js';
import { DurableLog } from '../../../replica/log/durable-log.js';
import type { Entry } from '../../../raft/types.js';
import { DEFAULT_TREE_SETTINGS } from '../../../storage/base/settings.js';
import { Version } from '../../../storage/version/version.js';
import { ManifestStore } from '../../../storage/version/manifest-store.js';
import { DamageOracle } from '../../oracle/damage-oracle.js';
import { SimCluster } from '../../cluster/sim-cluster.js';
import type { SimNode } from '../../cluster/sim-node.js';
import { Coverage } from '../../model/coverage.js';
import { SimDisk, type DiskImage } from '../../disk/sim-disk.js';
import { SimNetwork } from '../../network/sim-network.js';
import { runSettings, type RunSettings } from '../../model/settings.js';
import { testPump } from '../../testing/pump.js';
import { simClock } from '../../world/sim-env.js';
import { World, type Process } from '../../world/world.js';
import { openDiskContext, type DiskContext } from '../context.js';
import { readSegments } from '../log-places.js';
import { entriesOn } from '../spare-entries.js';
import type { FaultProfile } from '../../model/fault.js';

const SECOND_US = 1_000_000;
const PUTS = 300;

/** What a start of the node read: nothing of it may change by damage that it must survive. */
export interface Remembered {
  readonly hardState: HardStateRecord;
  readonly manifest: Version;
  /** After the flushed index. */
  readonly entries: readonly Entry[];
}

export interface Rested {
  readonly settings: RunSettings;
  readonly images: readonly DiskImage[];
  readonly durable: readonly Version[];
  readonly logs: readonly ToldLog[];
}

/** What a life that had just opened it would say of the log. */
type ToldLog = Pick<DurableLog, 'firstIndex' | 'lastIndex' | 'term'>;

/** Runs three nodes until they have tables of some levels, and log segments of flushed entries. */
export async function restedCluster(seed: number, newestVersion = NEWEST_VERSION): Promise<Rested> {
  const world = new World({ seed });
  const settings: RunSettings = { ...runSettings(world), nodes: 3, logSegmentBytes: 32 * 1024, newestVersion };
  const coverage = new Coverage();
  const cluster = new SimCluster(world, settings, new SimNetwork(world, [1, 2, 3], coverage), coverage);
  cluster.startAll();
  let [stored, busy] = [0, false];
  while (stored < PUTS && world.nowUs < 300 * SECOND_US) {
    await world.run(testPump, world.nowUs + 20_000);
    const store = cluster.leader()?.running?.store;
    if (store === undefined || busy) continue;
    busy = true;
    const done = (n: number): void => {
      stored += n;
      busy = false;
    };
    store.put(put(`key ${stored % 40}`, `value ${stored} `.repeat(60))).then(() => done(1), () => done(0));
  }
  await world.run(testPump, world.nowUs + 10 * SECOND_US);
  const durable = cluster.nodes.map((node) => {
    if (node.running === undefined) throw new Error(`node ${node.id} is not up`);
    return node.running.replica.tree.durable;
  });
  for (const node of cluster.nodes) cluster.down(node, 'power');
  const logs = cluster.nodes.map(({ disk }) => logOn(disk, settings.logSegmentBytes));
  return { settings, images: cluster.nodes.map(({ disk }) => disk.image()), durable, logs };
}

export interface Trial {
  readonly context: DiskContext;
  readonly world: World;
}

/**
 * Fresh disks with these contents. The nodes count as up for the profile `full`, and have no
 * process.
 */
export function trialOf(rested: Rested, seed: number, profile: FaultProfile, state: SimNode['state'] = 'down'): Trial {
  const world = new World({ seed });
  const coverage = new Coverage();
  const nodes = rested.images.map((image, i): SimNode => {
    const disk = new SimDisk(world, i + 1, coverage);
    disk.restore(image);
    const version = rested.durable[i];
    const tree = { durable: version, latest: version, materialized: version, meta: () => undefined };
    const log = rested.logs[i];
    const membership = new Membership(i + 1, rested.images.map((_, at) => ({ id: at + 1, name: `n${at + 1}`, peerUrls: [] })));
    const replica = { tree, log, membership, applier: { index: 0 } };
    return { id: i + 1, member: i + 1, disk, state, lives: 1, running: { replica }, process: undefined } as unknown as SimNode;
  });
  const oracle = new DamageOracle({ world, nodes });
  for (const node of nodes) oracle.onStart(node);
  const { settings } = rested;
  return { world, context: openDiskContext({ world, nodes, profile, settings, untilUs: settings.faultsUntilUs, oracle, coverage }) };
}

function logOn(disk: SimDisk, segmentBytes: number): ToldLog {
  const entries = entriesOn(readSegments(disk, segmentBytes));
  const indexes = [...entries.keys()];
  const [first, last] = [Math.min(...indexes), Math.max(...indexes)];
  return { firstIndex: () => first, lastIndex: () => last, term: (index) => entries.get(index) ?? 0 };
}

/** Opens what a start opens, in its order, through whatever is armed. */
export async function remembered({ world, context }: Trial, node: SimNode): Promise<Remembered> {
  const process: Process = { node: node.id, alive: true, stalledUntilUs: 0 };
  const disk = node.disk.attach(process, () => undefined);
  let result: Remembered | undefined;
  let failure: unknown;
  const open = async (): Promise<void> => {
    const store = await HardStateStore.open(disk);
    const hardState = store.current;
    if (hardState === undefined) throw new Error('there is no hard state');
    const manifests = await ManifestStore.open(
      {
        disk, workers: { breathe: () => undefined }, scheme: DEFAULT_TREE_SETTINGS.format.scheme,
        commitGeneration: ({ generation, digest }) => store.update({ manifestGeneration: generation, manifestDigest: digest }),
      },
      { generation: hardState.manifestGeneration, digest: hardState.manifestDigest }, Version.empty(),
    );
    const { manifest } = manifests;
    const { log } = await DurableLog.open(
      { disk, clock: simClock(world, process), events: { emit: () => undefined } },
      { segmentBytes: context.settings.logSegmentBytes, knownCommit: manifest.last.index, flushedIndex: manifest.flushed.index },
    );
    const from = Math.max(log.firstIndex(), manifest.flushed.index + 1);
    const entries = log.lastIndex() >= from ? log.entries(from, log.lastIndex() + 1) : [];
    if (log.firstIndex() > manifest.flushed.index + 1) throw new Error('the log begins after the flushed index');
    result = { hardState: { ...hardState, sequence: 0, manifestGeneration: 0, manifestDigest: '' }, manifest, entries };
  };
  open().catch((error: unknown) => (failure = error ?? 'failed'));
  await world.run(testPump, world.nowUs + 120 * SECOND_US, () => result !== undefined || failure !== undefined);
  process.alive = false;
  node.disk.killed();
  if (result === undefined) throw failure instanceof Error ? failure : new Error('the start hangs');
  return result;
}
