/**
 * The experiment of "Protocol-Aware Recovery for Consensus-Based Storage" (FAST'18) on four entries
 * of three members: each of the twelve copies is good or bad, and each of the 4096 placements is
 * started with real members. Where every entry has a good copy somewhere, all of it is there again
 * and writes go on; where an entry is bad everywhere, it may have been acknowledged, so everybody
 * waits, and nothing is written or served as if it had never been.
 */

import { must } from '../../base/assert.js';
import { fromUtf8 } from '../../base/bytes.js';
import { MemoryDisk } from '../../base/disk/memory-disk.js';
import { testEnv } from '../../base/testing/test-env.js';
import { get, put } from '../../api/testing/requests.js';
import { decodeLogRecord } from '../../replica/entry/entry.js';
import { LOG_WAITS } from '../../replica/log-recovery/recover-log.js';
import type { Entry } from '../../raft/types.js';
import { Cluster } from './cluster.js';
import { bytesOf } from './files.js';
import { rotEntries } from './log-damage.js';
import type { Surroundings } from './surroundings.js';

export const PLACEMENTS = 4096;
const ENTRIES = 4;
const MEMBERS = 3;
const UP_MS = 60_000;

/** recovered, waits: as it must be. lost, wrong: what must never be. */
export type Outcome = 'recovered' | 'waits' | 'lost' | 'wrong';

/** Memory disks, and nothing of a life that is over goes on. */
const mortal: Surroundings<MemoryDisk> = {
  newDisk: () => new MemoryDisk(),
  env: ({ self, disk, hub, emit, process }) => {
    const env = testEnv(self, disk, hub, emit);
    return { ...env, clock: { ...env.clock, setTimer: (delayMs, fn) => env.clock.setTimer(delayMs, () => void (process.alive && fn())) } };
  },
  powerLoss: () => undefined,
};

/** The disks of a cluster that stopped after four acknowledged writes. */
export interface Template {
  readonly disks: readonly ReadonlyMap<string, Uint8Array>[];
  /** Of the four. */
  readonly indexes: readonly number[];
}

export async function makeTemplate(): Promise<Template> {
  const cluster = await Cluster.start(mortal, { members: MEMBERS });
  for (let i = 0; i < ENTRIES; i++) await (await cluster.leader()).store.put(put(`key${i}`, `value${i}`));
  await cluster.settled();
  const { log } = (await cluster.leader()).replica;
  const all = log.entries(log.firstIndex(), log.lastIndex() + 1);
  const indexes = Array.from({ length: ENTRIES }, (_, i) => must(all.find((entry) => puts(entry, `key${i}`)), `entry ${i} is in the log`).index);
  for (const node of cluster.nodes) await cluster.stop(node);
  const disks = cluster.nodes.map(({ disk }) => new Map(disk.files().map((path) => [path, bytesOf(disk, path)])));
  await cluster.close();
  return { disks, indexes };
}

function puts({ type, data }: Entry, key: string): boolean {
  if (type !== 'normal' || data.length === 0) return false;
  const record = decodeLogRecord(data);
  return record.kind === 'kv' && record.command.kind === 'put' && fromUtf8(record.command.request.key) === key;
}

/** Bit `ENTRIES * member + entry` of the placement: that copy is bad. */
function isBad(placement: number, member: number, entry: number): boolean {
  return ((placement >> (ENTRIES * member + entry)) & 1) === 1;
}

/** Some entry is bad everywhere. */
export function mustWait(placement: number): boolean {
  for (let entry = 0; entry < ENTRIES; entry++) {
    if (Array.from({ length: MEMBERS }, (_, member) => isBad(placement, member, entry)).every(Boolean)) return true;
  }
  return false;
}

export async function runPlacement({ disks, indexes }: Template, placement: number): Promise<Outcome> {
  const cluster = new Cluster(mortal, { members: MEMBERS });
  for (const [member, node] of cluster.nodes.entries()) {
    await restore(node.disk, must(disks[member], 'each member has a disk'));
    await rotEntries(node.disk, indexes.filter((_, entry) => isBad(placement, member, entry)));
  }
  const starting = cluster.upAll().then(() => 'up' as const);
  try {
    const waiting = cluster.until('all to wait', () => cluster.nodes.every(({ events }) => events.some(isWait)), UP_MS).then(() => 'waits' as const);
    waiting.catch(() => undefined);
    if ((await Promise.race([starting, waiting])) === 'waits') return mustWait(placement) && cluster.alive.length === 0 ? 'waits' : 'lost';
    if (mustWait(placement)) return 'lost';
    return await everything(cluster);
  } finally {
    starting.catch(() => undefined);
    await cluster.close();
  }
}

/** For what is lost everywhere: not only because others were not there yet. */
function isWait(event: object): boolean {
  const { message, data } = event as { message?: string; data?: { why?: string } };
  return message === LOG_WAITS && data?.why?.startsWith(`all ${MEMBERS - 1} members`) === true;
}

/** All four through every member, and a new one. */
async function everything(cluster: Cluster): Promise<Outcome> {
  const leader = await cluster.leader();
  await leader.store.put(put('new', 'one'));
  for (const { store } of cluster.nodes) {
    for (let i = 0; i < ENTRIES; i++) {
      const { kvs } = await store.range(get(`key${i}`));
      if (kvs[0] === undefined) return 'lost';
      if (fromUtf8(kvs[0].value) !== `value${i}`) return 'wrong';
    }
  }
  return 'recovered';
}

async function restore(disk: MemoryDisk, files: ReadonlyMap<string, Uint8Array>): Promise<void> {
  for (const [path, bytes] of files) {
    const slash = path.lastIndexOf('/');
    if (slash > 0) await disk.mkdir(path.slice(0, slash));
    const file = await disk.open(path, 'create');
    file.writeSync(bytes, 0);
    file.close();
  }
}
