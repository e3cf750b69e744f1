/**
 * Watching a cluster heal: scrub on demand, counters of all nodes, and waiting until nothing is
 * left to do.
 */

import type { Cluster } from './cluster.js';
import type { ClusterNode } from './node.js';
import type { NodeStatus } from './status.js';
import { EMPTY_REQUEST, Fields } from './load/wire.js';
import { compareTables, type Comparison } from './tables.js';

export const SCRUB = '/kintsugi.v1.Heal/Scrub';

export type HealCounters = Readonly<Record<string, number>>;

/** The `heal` counters of every running node, by the node's name. */
export async function healCounters(cluster: Cluster): Promise<Map<string, HealCounters>> {
  const out = new Map<string, HealCounters>();
  for (const node of cluster.nodes.filter((n) => n.running)) out.set(node.name, (await node.status()).heal);
  return out;
}

/**
 * What grew, summed over the nodes. The counters of a node that is missing from `before` began at
 * zero.
 */
export function growth(before: ReadonlyMap<string, HealCounters>, after: ReadonlyMap<string, HealCounters>): HealCounters {
  const out: Record<string, number> = {};
  for (const [node, counters] of after) {
    for (const [name, n] of Object.entries(counters)) {
      if (typeof n === 'number') out[name] = (out[name] ?? 0) + n - (before.get(node)?.[name] ?? 0);
    }
  }
  return out;
}

export interface ScrubResult {
  readonly faults: number;
  readonly blocks: number;
  readonly bytes: number;
  readonly pastCache: boolean;
}

/** Scrubs one node from front to back; returns when its tour is done. */
export async function scrubNode(node: ClusterNode, timeoutMs = 120_000): Promise<ScrubResult> {
  const messages = await node.endpoint.messages(SCRUB, EMPTY_REQUEST, timeoutMs);
  const fields = new Fields(messages.at(-1) ?? Buffer.alloc(0));
  const out = { faults: 0, blocks: 0, bytes: 0, pastCache: false };
  while (fields.next()) {
    if (fields.field === 2) out.bytes = fields.number();
    else if (fields.field === 6) out.faults = fields.number();
    else if (fields.field === 8) out.pastCache = fields.number() !== 0;
    else if (fields.field === 10) out.blocks = fields.number();
    else fields.skip();
  }
  return out;
}

/** Scrubs all nodes at once. */
export async function scrubAll(cluster: Cluster): Promise<ScrubResult> {
  const each = await Promise.all(cluster.nodes.map((node) => scrubNode(node)));
  return each.reduce((a, b) => ({
    faults: a.faults + b.faults,
    blocks: a.blocks + b.blocks,
    bytes: a.bytes + b.bytes,
    pastCache: a.pastCache && b.pastCache,
  }));
}

function openHints(status: NodeStatus): number {
  return status.hints.filter((hint) => hint.state !== 'done').length;
}

export interface Quiet {
  readonly quiet: boolean;
  readonly ms: number;
  readonly tables: Comparison;
  readonly why: string;
}

async function unrest(cluster: Cluster): Promise<string> {
  const all = await Promise.all(cluster.nodes.map((node) => node.status()));
  const hints = all.reduce((n, status) => n + openHints(status), 0);
  if (hints > 0) return `${hints} hints are open`;
  for (const name of ['pendingPlans', 'owedTables', 'sealedMemtables'] as const) {
    const busy = all.find((status) => (status[name] ?? 0) > 0);
    if (busy) return `${busy.name} has ${busy[name]} ${name}`;
  }
  const applied = new Set(all.map((status) => status.appliedIndex));
  if (applied.size > 1) return `applied indices ${[...applied].join(', ')}`;
  const manifests = new Set(all.map((s) => s.manifest.tables.map((t) => `${t.id}:${t.digest}`).sort().join()));
  if (manifests.size > 1) return 'manifests differ';
  for (const [i, status] of all.entries()) {
    const live = new Set(status.manifest.tables.map((t) => `${t.id}.sst`));
    const files = cluster.node(i).tableFiles();
    const strays = files.filter((name) => !live.has(name));
    if (strays.length > 0) return `${status.name} has files that are no live table: ${strays.slice(0, 6).join(', ')}`;
    const missing = [...live].filter((name) => !files.includes(name));
    if (missing.length > 0) return `${status.name} lacks ${missing.slice(0, 6).join(', ')}`;
  }
  return compareTables(cluster).difference;
}

const CALM_LOOKS = 4;
const LOOK_EVERY_MS = 250;

/**
 * Waits until no hint is open, all nodes have applied the same, and every table file is equal
 * everywhere, for a while.
 */
export async function waitQuiet(cluster: Cluster, timeoutMs = 60_000): Promise<Quiet> {
  const began = Date.now();
  let calm = 0;
  let why = '';
  while (Date.now() - began < timeoutMs) {
    why = await unrest(cluster).catch((error: unknown) => String(error));
    calm = why === '' ? calm + 1 : 0;
    if (calm >= CALM_LOOKS) return { quiet: true, ms: Date.now() - began, tables: compareTables(cluster), why: '' };
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
  }
  return { quiet: false, ms: Date.now() - began, tables: compareTables(cluster), why };
}
