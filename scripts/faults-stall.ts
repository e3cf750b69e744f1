/**
 * Slow disks, with members of this process on disks in memory. Holds only if a leader whose syncs
 * stall hands over within two election time-outs and no client waits for more than three seconds;
 * if one follower that is slow does not slow what is written through the leader; and if every
 * acknowledged write is read back.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { get, put } from '../src/api/testing/requests.js';
import { SlowDisk } from '../src/base/disk/testing/slow-disk.js';
import { codeOf } from '../src/base/errors.js';
import { testEnv } from '../src/base/testing/test-env.js';
import { Cluster } from '../src/node/testing/cluster.js';
import { Failure, flags, runMain, whole } from './lib/command.js';

const HELP = `Stalls the leader's disk, and slows that of one follower.

  npm run faults:stall -- --rounds 5
`;

/** As the members of the tests have it. */
const ELECTION_MS = 300;
const GAP_MS = 3_000;
const PUTS = 400;
/** Of a machine that others use: differences below this are its own. */
const NOISE_MS = 5;

const start = (): Promise<Cluster<SlowDisk>> => Cluster.start<SlowDisk>({
  newDisk: () => new SlowDisk(),
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
    const p99 = async (): Promise<number> => {
      const took: number[] = [];
      for (let i = 0; i < PUTS; i++) {
        const began = performance.now();
        await leader.store.put(put(`k${i % 50}`, `${i}`));
        took.push(performance.now() - began);
      }
      return took.sort((a, b) => a - b)[Math.floor(PUTS * 0.99)] as number;
    };
    const alone = await p99();
    (await cluster.follower()).disk.syncMs = ELECTION_MS / 2;
    const beside = await p99();
    if (beside > Math.max(1.5 * alone, alone + NOISE_MS)) throw new Failure(`p99 went from ${alone.toFixed(1)} to ${beside.toFixed(1)} ms`);
    return { what: 'slow follower', p99Ms: [alone, beside].map((ms) => Number(ms.toFixed(1))) };
  } finally {
    await cluster.close();
  }
}

await runMain(HELP, async () => {
  const { values } = flags({ rounds: { type: 'string', default: '3' } });
  for (let round = whole(values.rounds, 'rounds', 1); round > 0; round--) {
    console.log(JSON.stringify(await stalledLeader()));
    console.log(JSON.stringify(await slowFollower()));
  }
  return 0;
});
