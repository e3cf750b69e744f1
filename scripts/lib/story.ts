/**
 * The story of the project in one minute: rot in a follower's tables, the read that parity
 * corrected, the hint at the leader, the heal in the log, three equal replicas; then the leader
 * dies under load. Each step must be seen, or the story fails.
 */

import { readFileSync } from 'node:fs';
import type { Cluster } from './cluster.js';
import { checkDocuments, type Document } from './documents.js';
import { failoverRound } from './failover.js';
import { waitQuiet } from './heal.js';
import { LoadProcess } from './load/process.js';
import type { ClusterNode } from './node.js';
import { bad, bytes, dim, good, say, strong } from './print.js';
import { flipBit, regionsOf, tablesBySize } from './tables.js';

const TABLES_TO_ROT = 3;
const BLOCKS_TO_ROT = 40;
const MAX_GAP_MS = 1000;

class Tale {
  passed = true;

  /** One step: what was seen, or what should have been. */
  step(held: boolean, seen: string, wanted: string): void {
    if (held) say(`${good('+')} ${seen}`);
    else {
      say(`${bad('-')} ${wanted}`);
      this.passed = false;
    }
  }
}

async function rot(follower: ClusterNode): Promise<{ readonly blocks: number; readonly tables: string[] }> {
  let blocks = 0;
  const tables: string[] = [];
  for (const { name, file, size } of tablesBySize(follower).slice(0, TABLES_TO_ROT)) {
    const data = (await regionsOf(file)).regions.filter((region) => region.kind === 'data');
    const every = Math.max(1, Math.floor((data.length * TABLES_TO_ROT) / BLOCKS_TO_ROT));
    let here = 0;
    for (let i = 0; i < data.length; i += every) {
      const region = data[i];
      if (!region) continue;
      flipBit(file, region.offset + region.headerBytes + ((i * 131) % Math.max(1, region.payloadBytes)), i);
      here++;
    }
    blocks += here;
    tables.push(`${name} (${here} blocks of ${bytes(size)})`);
  }
  return { blocks, tables };
}

async function until<T>(timeoutMs: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const seen = await look().catch(() => undefined);
    if (seen !== undefined || Date.now() > deadline) return seen;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function counter(node: ClusterNode, name: string): Promise<number> {
  return (await node.status()).heal[name] ?? 0;
}

/** Log indices of the heals that a node applied, from its log file. */
function healIndices(node: ClusterNode): number[] {
  const out = new Set<number>();
  for (const line of readFileSync(node.spec.logFile, 'utf8').split('\n')) {
    if (!/heal.applied/i.test(line)) continue;
    const index = /"index":\s*(\d+)/.exec(line)?.[1];
    if (index !== undefined) out.add(Number(index));
  }
  return [...out];
}

async function healingPart(cluster: Cluster, documents: readonly Document[], tale: Tale): Promise<void> {
  const leader = await cluster.leader();
  const follower = (await cluster.followers())[0];
  if (!follower) throw new Error('there is no follower');
  const before = {
    corrected: await counter(follower, 'correctedBlocks'),
    received: await counter(leader, 'hintsReceived'),
    applied: await counter(leader, 'healsApplied'),
  };
  console.log(strong(`\n1. The disk of ${follower.name}, a follower, rots; ${leader.name} leads`));
  const { blocks, tables } = await rot(follower);
  say(`one bit flipped in each of ${blocks} blocks: ${tables.join(', ')}`);
  const hint = until(60_000, async () => {
    const status = await leader.status();
    const received = (status.heal['hintsReceived'] ?? 0) - before.received;
    return received > 0 ? { received, tables: new Set(status.hints.map((h) => h.tableId)).size } : undefined;
  });
  const read = await checkDocuments(follower.endpoint, documents, true);
  tale.step(read.right === documents.length, `${read.right} documents read from ${follower.name} itself (serializable): all right`,
    `of ${documents.length} documents only ${read.right} came back right: ${read.firstFault}`);
  const corrected = await until(5000, async () => {
    const n = (await counter(follower, 'correctedBlocks')) - before.corrected;
    return n > 0 ? n : undefined;
  });
  tale.step(corrected !== undefined, `parity corrected ${corrected ?? 0} block reads on the way`, 'no read was corrected: the blocks came from a cache');
  const arrived = await hint;
  tale.step(arrived !== undefined, `the hint arrived at the leader ${leader.name} over gRPC (${arrived?.received ?? 0} received)`, 'no hint reached the leader');
  const quiet = await waitQuiet(cluster, 90_000);
  const status = await leader.status();
  const applied = (status.heal['healsApplied'] ?? 0) - before.applied;
  const indices = healIndices(leader);
  tale.step(applied > 0 && indices.length > 0, `${applied} heals went through the log, at index ${strong(indices.join(', '))}`,
    `${applied} heals went through the log, at indices ${indices.join(', ') || '(not told)'}`);
  const { equal, tables: count, bytes: size, difference } = quiet.tables;
  tale.step(quiet.quiet && equal, `the three replicas are equal again, byte for byte: ${count} tables, ${bytes(size)} each, ${quiet.ms} ms later`,
    `the replicas are not equal: ${quiet.why || difference}`);
}

async function failoverPart(cluster: Cluster, tale: Tale): Promise<void> {
  console.log(strong('\n2. The leader is killed with kill -9, 64 writers are at work'));
  const load = await LoadProcess.start();
  try {
    const r = await failoverRound(cluster, load, {
      round: 1, writers: 64, readers: 8, warmupMs: 4000, afterMs: 5000, requestTimeoutMs: 30_000, say,
    });
    tale.step(r.gapMs < MAX_GAP_MS, `writes were acknowledged again ${strong(`${r.gapMs.toFixed(0)} ms`)} after the kill`,
      `the gap was ${r.gapMs.toFixed(0)} ms`);
    const f = r.inFlight;
    tale.step(f.errors === 0, `${f.answered} requests were in flight on the survivors: all answered, the slowest after ${f.longestMs.toFixed(0)} ms`,
      `${f.errors} of ${f.answered + f.errors} requests in flight failed: ${f.firstError}`);
    tale.step(r.missing + r.wrong + r.readErrors === 0, `${r.acknowledged} acknowledged writes, all there on every node`,
      `${r.missing} missing, ${r.wrong} wrong: ${r.firstFault}`);
    tale.step(r.history.passed, `the recorded history of ${r.history.operations} operations is ${r.history.summary}`, r.history.summary);
    console.log(dim(`rate before the kill ${r.rateBefore.toFixed(0)}/s, 80 % of it back after ${r.back80Ms.toFixed(0)} ms; ${r.killed} rejoined in ${r.rejoinMs} ms`));
  } finally {
    await load.stop();
  }
}

export async function tellStory(cluster: Cluster, documents: readonly Document[]): Promise<boolean> {
  const tale = new Tale();
  await healingPart(cluster, documents, tale);
  await failoverPart(cluster, tale);
  return tale.passed;
}
