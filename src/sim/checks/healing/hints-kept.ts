/**
 * H2: the node that saw a fault keeps its hint, over all restarts, until the table left its durable
 * manifest; and where the same bytes live on there under another id, the hint ends only when they
 * are good on its medium.
 *
 * Neither a crash nor a message nor a failed heal may lose one. The file of the hints is their only
 * durable copy, but not the only trace of the fault, which the next scrub finds again where it is.
 * So a hint may be lost if its file was damaged while no life had it in memory.
 */

import type { KintsugiEvent } from '../../../base/events.js';
import type { NodeId, TableId } from '../../../base/ids.js';
import { HINTS_PATH } from '../../../healing/hints/hint-file.js';
import { tablePath, type TableMeta } from '../../../storage/table/table-meta.js';
import { PROVEN_WITHIN_US } from '../../oracle/damage.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

interface Open {
  /** Whose it is: another member on the same machine has hints of its own. */
  readonly member: NodeId;
  readonly meta: TableMeta | undefined;
  readonly sinceUs: number;
  /** The last in which it was seen, and when. */
  life: number;
  seenUs: number;
  durable: boolean;
}

export class HintsKept {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  readonly #open = new Map<NodeId, Map<TableId, Open>>();
  /** Nodes with a hint that was not durable when it was looked at last. */
  readonly #unsaved = new Set<NodeId>();

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  onEvent(node: WatchedNode, event: KintsugiEvent): void {
    if (event.type !== 'hint' || event.node !== node.member) return;
    if (event.state === 'done') this.#ended(node, event.table);
    else if (event.state === 'open') this.#opened(node, event.table);
  }

  /** Each second, and when a replica is up: which hints are still there. */
  step(node: WatchedNode): void {
    const open = this.#open.get(node.id);
    if (open === undefined || open.size === 0 || node.running === undefined || node.state !== 'up') return;
    const held = new Set(node.running.healing.hints().filter((hint) => hint.node === node.member).map((hint) => hint.tableId));
    const { durable } = node.running.replica.tree;
    for (const [table, hint] of open) {
      if (held.has(table)) {
        this.#seen(node, hint);
        continue;
      }
      open.delete(table);
      if (hint.member !== node.member) continue;
      // It followed its bytes to another id, or ended with the table.
      if (!durable.has(table) && table < durable.nextTableId) continue;
      // Within a life memory holds it, whatever becomes of the file.
      if (hint.life !== node.lives && (!hint.durable || this.#excused(node.id, hint))) continue;
      this.#reporter.broken('hints are never lost', node.id, `H2 node ${node.id} had a hint against table ${table}, which its durable manifest holds, and has it no more`);
    }
  }

  /** At each event, and when a life ends. */
  saved(node: WatchedNode): void {
    if (!this.#unsaved.has(node.id) || node.running?.healing.hintsSaved !== true) return;
    this.#unsaved.delete(node.id);
    for (const hint of this.#open.get(node.id)?.values() ?? []) if (hint.life === node.lives) hint.durable = true;
  }

  #opened(node: WatchedNode, table: TableId): void {
    let open = this.#open.get(node.id);
    if (open === undefined) this.#open.set(node.id, (open = new Map()));
    this.#unsaved.add(node.id);
    const known = open.get(table);
    if (known !== undefined) return this.#seen(node, known);
    const { nowUs } = this.#reporter;
    const { member } = node;
    open.set(table, { member, meta: this.#oracle.census.meta(table), sinceUs: nowUs, life: node.lives, seenUs: nowUs, durable: false });
  }

  #seen({ lives }: WatchedNode, hint: Open): void {
    hint.life = lives;
    hint.seenUs = this.#reporter.nowUs;
  }

  #ended(node: WatchedNode, table: TableId): void {
    const hint = this.#open.get(node.id)?.get(table);
    this.#open.get(node.id)?.delete(table);
    const durable = node.running?.replica.tree.durable;
    if (durable === undefined) return;
    if (durable.has(table)) {
      this.#reporter.broken('hints end when the fault is gone', node.id, `H2 node ${node.id} ends its hint against table ${table}, which its durable manifest still holds`);
      return;
    }
    const meta = hint?.meta ?? this.#oracle.census.meta(table);
    if (meta === undefined) return;
    for (const heir of durable.named(meta)) {
      const faults = this.#oracle.census.faultsOf(node.id, heir) ?? [];
      if (faults.length === 0 || this.#struck(node.id, heir)) continue;
      this.#reporter.broken('hints end when the fault is gone', node.id,
        `H2 node ${node.id} ends its hint against table ${table}; ${faults.length} blocks of the same bytes, now table ${heir.id}, are bad on its medium`);
    }
  }

  /** The new file was struck after it was proven, or while it was written. */
  #struck(node: NodeId, heir: TableMeta): boolean {
    const { verdict } = this.#oracle;
    return verdict.touched(node, tablePath(heir.id)) || verdict.struckSince(node, heir, this.#reporter.nowUs - PROVEN_WITHIN_US);
  }

  /** A later life may be without it. */
  #excused(node: NodeId, hint: Open): boolean {
    const { ledger } = this.#oracle;
    if (ledger.forgets(node)) return true;
    // A bad sector is met by the life that opens the file: one that was met while the hint was
    // known has been written anew since.
    if (ledger.spoiled(node, HINTS_PATH, hint.seenUs)) return true;
    // Damage to the file that keeps them, and a disk that would not take them.
    return ledger.changed(node, 'hints', hint.sinceUs) !== undefined || ledger.refused(node, hint.sinceUs, 'other') !== undefined;
  }
}
