/**
 * H5, S6: nothing is proposed for a heal that the leader did not have in full, byte for byte: on
 * its medium lies the table as it was born, or the copy that was made of it. H4: no heal waits
 * while a place is free, whatever became of others.
 */

import type { KintsugiEvent } from '../../../base/events.js';
import type { NodeId, TableId } from '../../../base/ids.js';
import { copyPath } from '../../../healing/repair/table-copies.js';
import { sameBytes } from '../../oracle/pristine-tables.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

/** A file that was proven may be struck between its proof and the proposal. */
const PROVEN_US = 10_000_000;
/** The leader looks at its queue twice a second. */
const WAITS_SECONDS = 6;
const HEALS_AT_ONCE = 2;

export class HealsChecked {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  readonly #nodes: readonly WatchedNode[];
  #leadership = '';
  /** For how many seconds a heal could have been begun and was not. */
  readonly #waiting = new Map<TableId, number>();
  /** Nodes that said anything since the last step: those that are paused do nothing. */
  readonly #heard = new Set<NodeId>();

  constructor(reporter: Reporter, oracle: DamageOracle, nodes: readonly WatchedNode[]) {
    this.#reporter = reporter;
    this.#oracle = oracle;
    this.#nodes = nodes;
  }

  proposed(node: WatchedNode, { table }: Extract<KintsugiEvent, { type: 'heal-proposed' }>): void {
    const meta = this.#oracle.census.meta(table);
    const pristine = meta === undefined ? undefined : this.#oracle.census.pristine(meta.fileDigest);
    if (meta === undefined || pristine === undefined || this.#oracle.census.asBorn(node.id, meta)) return;
    const copy = node.disk.medium(copyPath(table));
    if (copy !== undefined && sameBytes(copy, pristine.bytes)) return;
    if (this.#oracle.verdict.struckSince(node.id, meta, this.#reporter.nowUs - PROVEN_US)) return;
    this.#reporter.broken('a heal is proposed by who has the table', node.id, `H5 node ${node.id} proposes to heal table ${table}, of which it has no good copy`);
  }

  /** It is at work. */
  heard(node: WatchedNode): void {
    this.#heard.add(node.id);
  }

  /** Each second. */
  step(): void {
    const awake = new Set(this.#heard);
    this.#heard.clear();
    const leader = this.#nodes.find((node) => node.state === 'up' && node.running?.replica.leadership.mayShapeTree === true);
    const leadership = `${leader?.id}/${leader?.lives}/${leader?.running?.replica.leadership.term}`;
    if (leadership !== this.#leadership) this.#waiting.clear();
    this.#leadership = leadership;
    if (leader?.running === undefined || !awake.has(leader.id)) return;
    const { replica, healing } = leader.running;
    const queued = healing.hints();
    const under = new Set(queued.flatMap(({ tableId, state }) => (state === 'claimed' ? [tableId] : [])));
    const { latest } = replica.tree;
    const free = under.size < HEALS_AT_ONCE;
    const pending = new Set<TableId>();
    // A table may have hints of several nodes.
    for (const { tableId, state } of queued) if (free && state === 'pending' && latest.has(tableId) && !latest.isBusy(tableId)) pending.add(tableId);
    for (const table of this.#waiting.keys()) if (!pending.has(table)) this.#waiting.delete(table);
    for (const table of pending) this.#waits(leader.id, table);
  }

  #waits(leader: number, table: TableId): void {
    const seconds = (this.#waiting.get(table) ?? 0) + 1;
    this.#waiting.set(table, seconds);
    if (seconds === WAITS_SECONDS) {
      this.#reporter.broken('no heal waits for another', leader, `H4 node ${leader} leads and heals fewer tables than it may; table ${table} waits to be healed all the same`);
    }
  }
}
