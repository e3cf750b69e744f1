/**
 * Everything that a node of a cluster at rest holds, read in every way: by key and by range,
 * linearizable and not, counted, and as of older revisions. Each answer goes into the history, so
 * that the verdict covers what became of every write, on every node.
 */

import type { World } from '../world/world.js';
import { READ_ALL } from './generator.js';
import type { History, OpRecord, Outcome } from './history/history.js';
import type { NodeAccess } from './node-access.js';
import type { WorkloadNode } from './node.js';
import type { Op } from './history/operation.js';

/** Clients of these numbers do the reading: this and the node's id. */
export const FINAL_CLIENTS = 1_000;

const ATTEMPTS = 5;
const DEADLINE_US = 10_000_000;
const AT_ONCE = 32;
const OLD_REVISIONS = 6;

export interface FinalReadsOptions {
  readonly world: World;
  readonly access: NodeAccess;
  readonly history: History;
  readonly keys: readonly string[];
}

function finalOps({ history, keys }: FinalReadsOptions, compacted: number): Op[] {
  const ops: Op[] = [];
  for (const serializable of [false, true]) {
    ops.push({ ...READ_ALL, serializable }, { ...READ_ALL, serializable, countOnly: true });
    for (const key of keys) ops.push({ ...READ_ALL, key, end: '', serializable });
  }
  const span = history.newest - compacted;
  for (let i = 0; i < OLD_REVISIONS; i++) {
    const revision = compacted + Math.floor((span * i) / OLD_REVISIONS);
    if (revision > 0) ops.push({ ...READ_ALL, revision, serializable: true });
  }
  return ops;
}

/** The newest compaction that may have taken effect. */
function newestCompaction(history: History): number {
  let newest = 0;
  for (const { op, outcome } of history.records) {
    if (op.kind !== 'compact' || outcome?.kind === 'refused') continue;
    if (op.revision <= history.newest && op.revision > newest) newest = op.revision;
  }
  return newest;
}

/** Resolves when every read was answered, or to what could not be read after several attempts. */
export async function finalReads(node: WorkloadNode, options: FinalReadsOptions): Promise<string[]> {
  const ops = finalOps(options, newestCompaction(options.history));
  const failed: string[] = [];
  let next = 0;
  const reader = async (): Promise<void> => {
    while (next < ops.length) {
      const op = ops[next++] as Op;
      const code = await read(node, op, options);
      if (code !== undefined) failed.push(code);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, reader));
  return failed;
}

async function read(node: WorkloadNode, op: Op, options: FinalReadsOptions): Promise<string | undefined> {
  let code: string | undefined;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const { outcome } = await once(node, op, options);
    if (outcome?.kind === 'answered') return undefined;
    code = outcome?.code;
    if (code === 'COMPACTED') return undefined;
    await options.world.sleep(200_000);
  }
  return code;
}

function once(node: WorkloadNode, op: Op, { world, access, history }: FinalReadsOptions): Promise<OpRecord> {
  const record = history.begin(FINAL_CLIENTS + node.id, node.id, op, world.nowUs, true);
  return new Promise((resolve) => {
    const settle = (outcome: Outcome): void => {
      if (record.outcome !== undefined) return;
      deadline.cancel();
      history.settle(record, outcome, world.nowUs);
      resolve(record);
    };
    const deadline = world.schedule(DEADLINE_US, () => settle({ kind: 'unknown', code: 'DEADLINE' }));
    access.serve(node, record, settle);
  });
}
