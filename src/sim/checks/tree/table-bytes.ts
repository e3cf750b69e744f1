/**
 * S2, S5, S6: a birth names the same bytes everywhere and for ever; a table that a node calls its
 * own lies on its medium byte for byte as it was born, unless a fault struck it; every table of the
 * durable manifest has its file.
 *
 * What a node proved past its caches (fetched, written anew, relinked after it was read) may be
 * damaged only since; what it relinked from its own production was never read back, so any fault on
 * the way excuses it: scrub and parity are for that.
 */

import type { KintsugiEvent } from '../../../base/events.js';
import type { Digest128, NodeId, TableId } from '../../../base/ids.js';
import type { Version } from '../../../storage/version/version.js';
import { formatBirth, outputPath, tablePath, type TableMeta } from '../../../storage/table/table-meta.js';
import { isProven, PROVEN_WITHIN_US } from '../../oracle/damage.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class TableBytes {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  readonly #births = new Map<string, Digest128>();
  /** When this node applied the heal that a table came with: its file is proven later. */
  readonly #healedUs = new Map<NodeId, Map<TableId, number>>();
  /**
   * Versions whose files were all there when they were looked at last: only the newest of each
   * node.
   */
  readonly #complete = new Map<NodeId, Version>();

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  onEvent(node: WatchedNode, event: KintsugiEvent): void {
    if (event.type === 'edit') for (const id of event.added) this.#born(node, node.running?.replica.tree.meta(id));
    else if (event.type === 'heal-applied') this.#healed(node.id, event.added);
    else if (event.type === 'materialized') this.#materialized(node, event);
  }

  /** A replica is there, with this durable version. */
  onStart(node: WatchedNode): void {
    for (const meta of node.running?.replica.tree.durable.list() ?? []) this.#born(node, meta);
    this.files(node, true);
  }

  /** Each second; `again`: even if the version was looked at before. */
  files(node: WatchedNode, again: boolean): void {
    const durable = node.running?.replica.tree.durable;
    if (durable === undefined || (!again && this.#complete.get(node.id) === durable)) return;
    const there = new Set(node.disk.list().map(({ path }) => path));
    const { ledger } = this.#oracle;
    if (this.#oracle.verdict.fellBack(node.id)) return;
    for (const meta of durable.list()) {
      const path = tablePath(meta.id);
      if (there.has(path)) this.#named(node, path);
      if (there.has(path) || ledger.renamed(node.id, path)) continue;
      if (ledger.forgets(node.id)) continue;
      this.#reporter.broken('files of the durable manifest are there', node.id, `S5 table ${meta.id} is in the durable manifest of node ${node.id}, and its file is gone`);
    }
    this.#complete.set(node.id, durable);
  }

  #named(node: WatchedNode, path: string): void {
    if (node.disk.isNamed(path)) return;
    this.#reporter.broken('names are durable before the manifest is', node.id, `S5 the durable manifest of node ${node.id} counts on ${path}; a power loss would take that name`);
  }

  #healed(node: NodeId, table: TableId): void {
    const healed = this.#healedUs.get(node);
    if (healed === undefined) this.#healedUs.set(node, new Map([[table, this.#reporter.nowUs]]));
    else healed.set(table, this.#reporter.nowUs);
  }

  #born(node: WatchedNode, meta: TableMeta | undefined): void {
    if (meta === undefined) return;
    const birth = formatBirth(meta.birth);
    const known = this.#births.get(birth);
    if (known === undefined) this.#births.set(birth, meta.fileDigest);
    else if (known !== meta.fileDigest) {
      this.#reporter.broken('byte-equal tables', node.id, `S2 table ${meta.id} of birth ${birth} has digest ${meta.fileDigest} on node ${node.id}, elsewhere ${known}`);
    }
  }

  #materialized(node: WatchedNode, { table, how }: Extract<KintsugiEvent, { type: 'materialized' }>): void {
    const meta = this.#oracle.census.metaAt(node, table);
    if (meta === undefined) return;
    if (this.#oracle.census.asBorn(node.id, meta) || this.#excused(node.id, meta, how)) return;
    const bytes = node.disk.medium(tablePath(table));
    const what = bytes === undefined ? 'no file' : `${bytes.length} other bytes`;
    this.#reporter.broken('materialized tables are as they were born', node.id, `S6 node ${node.id} has materialized table ${table} (${how}); its medium holds ${what}`);
  }

  /** Was it struck so that the node could not have seen it? */
  #excused(node: NodeId, meta: TableMeta, how: string): boolean {
    const { ledger, verdict } = this.#oracle;
    const healedUs = this.#healedUs.get(node)?.get(meta.id);
    const recentUs = this.#reporter.nowUs - PROVEN_WITHIN_US;
    // All bytes of a heal are read past the caches after it was applied, or written anew.
    if (healedUs !== undefined) return verdict.struckSince(node, meta, Math.max(healedUs, recentUs));
    const output = outputPath(meta.birth.sequence, meta.birth.ordinal);
    if (how === 'relink' && ledger.of(node).some((damage) => damage.path === output && !isProven(damage))) return true;
    return verdict.struckSince(node, meta, recentUs);
  }
}
