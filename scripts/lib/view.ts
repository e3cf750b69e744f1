/** What the nodes are doing, as a table for people, from `/status` (or gRPC alone, for an etcd). */

import type { Cluster } from './cluster.js';
import type { ClusterNode } from './node.js';
import { bad, bytes, dim, good, table } from './print.js';
import { findNumber, type NodeStatus } from './status.js';

const HEAD = ['node', 'role', 'term', 'commit', 'applied', 'revision', 'memtable', 'tables per level', 'flushes', 'compactions', 'hints', 'healed', 'pid'];

function levels(status: NodeStatus): string {
  const perLevel = new Map<number, { n: number; bytes: number }>();
  for (const { level, bytes: size } of status.manifest.tables) {
    const at = perLevel.get(level) ?? { n: 0, bytes: 0 };
    perLevel.set(level, { n: at.n + 1, bytes: at.bytes + size });
  }
  const text = [...perLevel].sort(([a], [b]) => a - b).map(([level, at]) => `L${level} ${at.n} (${bytes(at.bytes)})`);
  return text.join(', ') || '-';
}

const orDash = (n: number | undefined): string => (n === undefined ? '-' : String(n));

async function row(node: ClusterNode): Promise<string[]> {
  const down = [node.name, bad('down'), ...HEAD.slice(2).map(() => '-')];
  if (!node.running) return down;
  try {
    const s = await node.status();
    const memtable = findNumber(s, 'memtableBytes', 'memoryBytes');
    return [
      node.name, s.role === 'leader' ? good(s.role) : s.role, String(s.term), String(s.commitIndex), String(s.appliedIndex),
      String(s.revision), memtable === undefined ? '-' : bytes(memtable), levels(s),
      orDash(findNumber(s, 'flushes', 'flushCount', 'flushesInstalled')), orDash(findNumber(s, 'compactions', 'compactionCount')),
      String(s.hints.filter((hint) => hint.state !== 'done').length), orDash(findNumber(s, 'healsApplied')), String(node.pid),
    ];
  } catch (error) {
    const said = await node.grpcStatus().catch(() => undefined);
    if (said === undefined) return [node.name, bad(`no answer: ${String(error).slice(0, 40)}`), ...down.slice(2)];
    const role = said.leader === said.memberId ? good('leader') : said.leader === 0n ? bad('no leader') : 'follower';
    return [node.name, role, String(said.raftTerm), '-', String(said.raftIndex), String(said.revision), '-', '-', '-', '-', '-', '-', String(node.pid)];
  }
}

export async function clusterTable(cluster: Cluster): Promise<string> {
  return table(HEAD, await Promise.all(cluster.nodes.map(row)));
}

/** Draws the table over its last drawing on a terminal; elsewhere prints it anew. */
export class LiveTable {
  #lines = 0;

  async draw(cluster: Cluster, headline: string): Promise<void> {
    const text = `${dim(headline)}\n${await clusterTable(cluster)}`;
    if (process.stdout.isTTY && this.#lines > 0) process.stdout.write(`\u001b[${this.#lines}A\u001b[0J`);
    console.log(text);
    this.#lines = text.split('\n').length;
  }

  /** The next drawing does not overwrite what was printed meanwhile. */
  leave(): void {
    this.#lines = 0;
  }
}
