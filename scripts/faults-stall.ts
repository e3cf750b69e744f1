/**
 * Slow disks, with members of this process on disks in memory. Holds only if a leader whose syncs
 * stall hands over within two election time-outs and no client waits for more than three seconds;
 * if one whose disk becomes slow hands over, and writes are as quick as before; if one follower
 * that is slow does not slow what is written through the leader; and if every acknowledged write is
 * read back.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { get, put } from '../src/api/testing/requests.js';
import { SlowDisk } from '../src/base/disk/testing/slow-disk.js';
import { codeOf } from '../src/base/errors.js';
import { testClock, testEnv } from '../src/base/testing/test-env.js';
import { Cluster } from '../src/node/testing/cluster.js';
import type { ClusterNode } from '../src/node/testing/cluster-node.js';
import { Failure, flags, runMain, whole } from './lib/command.js';

const HELP = `Stalls the leader's disk, slows it, and slows that of one follower.

  npm run faults:stall -- --rounds 5
`;

/** As the members of the tests have it. */
const ELECTION_MS = 300;
const GAP_MS = 3_000;
/** A disk is slow if it was so for a while: for so many election time-outs at most. */
const SLOW_ELECTIONS = 10;
const PUTS = 400;
/** Of a machine that others use: differences below this are its own. */
const NOISE_MS = 5;

const start = (): Promise<Cluster<SlowDisk>> => Cluster.start<SlowDisk>({
  newDisk: () => new SlowDisk(testClock),
  env: ({ self, disk, hub, emit }) => testEnv(self, disk, hub, emit),
  powerLoss: () => undefined,
});

async function stalledLeader(): Promise<object> {
  const cluster = await start();
  try {
    const leader = await cluster.leader();
    const others = cluster.nodes.filter((node) => node !== leader);
    const acknowledged = new Map<string, string>();
    let writing = true;
    let gapMs = 0;
    const writers = others.map(async ({ id, store }) => {
      let last = performance.now();
      for (let i = 0; writing; i++) {
        const key = `k${i % 50}-${id}`;
        acknowledged.delete(key);
        await store.put(put(key, `${i}`)).then(() => acknowledged.set(key, `${i}`), (error: unknown) => {
          if (codeOf(error) === undefined) throw error;
        });
        gapMs = Math.max(gapMs, performance.now() - last);
        last = performance.now();
      }
    });
    await sleep(ELECTION_MS);
    let release = (): void => undefined;
    leader.disk.stall = new Promise<void>((resolve) => (release = resolve));
    const began = performance.now();
    const successor = await cluster.until('another leader', () => others.find(({ replica }) => replica.leadership.isLeader));
    const handOverMs = Math.round(performance.now() - began);
    await sleep(2 * ELECTION_MS);
    leader.disk.stall = undefined;
    release();
    writing = false;
    await Promise.all(writers);
    await cluster.settled(20_000);
    for (const [key, value] of acknowledged) {
      const { kvs } = await leader.store.range(get(key));
      if (Buffer.from(kvs[0]?.value ?? []).toString() !== value) throw new Failure(`the acknowledged value of ${key} is lost`);
    }
    if (handOverMs > 2 * ELECTION_MS) throw new Failure(`member ${successor.id} leads only ${handOverMs} ms after the stall began`);
    if (gapMs > GAP_MS) throw new Failure(`a client waited for ${Math.round(gapMs)} ms`);
    return { what: 'stalled leader', handOverMs, gapMs: Math.round(gapMs), acknowledged: acknowledged.size };
  } finally {
    await cluster.close();
  }
}

async function slowFollower(): Promise<object> {
  const cluster = await start();
  try {
    const leader = await cluster.leader();
    for (const { disk } of cluster.nodes) disk.syncMs = 2;
    const alone = await p99(leader);
    (await cluster.follower()).disk.syncMs = ELECTION_MS / 2;
    return { what: 'slow follower', p99Ms: asQuick(alone, await p99(leader)) };
  } finally {
    await cluster.close();
  }
}

async function slowLeader(): Promise<object> {
  const cluster = await start();
  try {
    const leader = await cluster.leader();
    for (const { disk } of cluster.nodes) disk.syncMs = 2;
    const alone = await p99(leader);
    leader.disk.syncMs = ELECTION_MS / 3;
    const began = performance.now();
    while (!cluster.nodes.some((node) => node !== leader && node.replica.leadership.isLeader)) {
      if (performance.now() - began > SLOW_ELECTIONS * ELECTION_MS) throw new Failure('a leader whose disk is slow leads on');
      await leader.store.put(put('k', 'v'));
    }
    const handOverMs = Math.round(performance.now() - began);
    return { what: 'slow leader', handOverMs, p99Ms: asQuick(alone, await p99(await cluster.leader())) };
  } finally {
    await cluster.close();
  }
}

/** Of what is written through that member, in ms. */
async function p99({ store }: ClusterNode<SlowDisk>): Promise<number> {
  const took: number[] = [];
  for (let i = 0; i < PUTS; i++) {
    const began = performance.now();
    await store.put(put(`k${i % 50}`, `${i}`));
    took.push(performance.now() - began);
  }
  return took.sort((a, b) => a - b)[Math.floor(PUTS * 0.99)] as number;
}

function asQuick(before: number, after: number): number[] {
  if (after > Math.max(1.5 * before, before + NOISE_MS)) throw new Failure(`p99 went from ${before.toFixed(1)} to ${after.toFixed(1)} ms`);
  return [before, after].map((ms) => Number(ms.toFixed(1)));
}

await runMain(HELP, async () => {
  const { values } = flags({ rounds: { type: 'string', default: '3' } });
  for (let round = whole(values.rounds, 'rounds', 1); round > 0; round--) {
    console.log(JSON.stringify(await stalledLeader()));
    console.log(JSON.stringify(await slowFollower()));
    console.log(JSON.stringify(await slowLeader()));
  }
  return 0;
});
