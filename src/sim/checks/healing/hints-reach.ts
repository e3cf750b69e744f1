/**
 * H2: the death of a leader loses no hint: whoever leads for a while knows of every hint that is
 * open anywhere against a table that is live for it. Hints are sent again every few seconds, and no
 * fault of the network keeps two members apart for so long.
 */

import type { NodeId, TableId } from '../../../base/ids.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

/** Of one leader, with one hint open all the while. */
const WITHIN_US = 45_000_000;

export class HintsReach {
  readonly #reporter: Reporter;
  readonly #nodes: readonly WatchedNode[];
  /** By node and table: since when the present leader does not know of it. */
  readonly #unknown = new Map<string, number>();
  #leadership = '';

  constructor(reporter: Reporter, nodes: readonly WatchedNode[]) {
    this.#reporter = reporter;
    this.#nodes = nodes;
  }

  /** Each second. */
  step(): void {
    const leader = this.#nodes.find((node) => node.state === 'up' && node.running?.replica.leadership.mayShapeTree === true);
    // Every life begins to send anew, and every new leader to collect.
    const leadership = `${leader?.id}/${leader?.running?.replica.leadership.term}/${this.#nodes.map((node) => `${node.lives}${node.state}`).join()}`;
    if (leadership !== this.#leadership) this.#unknown.clear();
    this.#leadership = leadership;
    if (leader?.running === undefined) return;
    const { replica, healing } = leader.running;
    // Its own are open like everybody's; what is in its queue has another state.
    const queued = new Set(healing.hints().flatMap(({ tableId, state }) => (state === 'open' ? [] : [tableId])));
    const { latest } = replica.tree;
    const seen = new Set<string>();
    for (const node of this.#nodes) {
      if (node.state !== 'up' || node.running?.replica.leadership.leader !== leader.member) continue;
      for (const { tableId, node: owner } of node.running.healing.hints()) {
        if (owner !== node.member || queued.has(tableId) || !latest.has(tableId)) continue;
        seen.add(this.#missed(leader.id, node.id, tableId));
      }
    }
    for (const key of this.#unknown.keys()) if (!seen.has(key)) this.#unknown.delete(key);
  }

  #missed(leader: NodeId, owner: NodeId, table: TableId): string {
    const key = `${owner} ${table}`;
    const since = this.#unknown.get(key);
    if (since === undefined) this.#unknown.set(key, this.#reporter.nowUs);
    else if (this.#reporter.nowUs - since > WITHIN_US) {
      this.#unknown.set(key, Infinity);
      this.#reporter.broken('hints reach the leader', owner, `H2 node ${owner} has a hint against table ${table}, of which node ${leader} knows nothing although it leads`);
    }
    return key;
  }
}
