/**
 * H5: a block that a peer gave is kept durably until this node's own bytes are good. Within a life
 * a repair goes from the disk only when every file of those bytes that this node has is, on its
 * medium, as it was born.
 */

import type { KintsugiEvent } from '../../../base/events.js';
import { REPAIRS_DIR } from '../../../healing/repair/repair-store.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

const REPAIR_PATH = new RegExp(`^${REPAIRS_DIR}/([0-9a-f]{32})-(\\d{1,15})$`);
/** A file that was proven may be struck before the repairs go that it made superfluous. */
const PROVEN_US = 10_000_000;
/** A disk that refused a repair: it lives in memory alone then. */
const REFUSED_US = 120_000_000;

export class RepairsKept {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  /** Those that lay on the disk when it was looked at last, and in which life. */
  readonly #seen = new Map<number, { readonly life: number; readonly paths: ReadonlySet<string>; readonly atUs: number }>();

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  /** Told when it is durable, or stays in memory. */
  repaired(node: WatchedNode, { table, offset, from }: Extract<KintsugiEvent, { type: 'block-repaired' }>): void {
    const meta = this.#oracle.census.metaAt(node, table);
    // A file that was restored as a whole is no repair of a block.
    if (meta === undefined || from === 0 || this.#struck(node.id, this.#reporter.nowUs - REFUSED_US)) return;
    if (node.disk.medium(`${REPAIRS_DIR}/${meta.fileDigest}-${offset}`)?.length) return;
    this.#reporter.broken('repairs are kept until the fault is gone', node.id, `H5 node ${node.id} has repaired the block at ${offset} of table ${table}, and does not keep it on its disk`);
  }

  /** Each second. */
  step(node: WatchedNode): void {
    const before = this.#seen.get(node.id);
    if (node.running === undefined) return void this.#seen.delete(node.id);
    const paths = new Set(node.disk.list().flatMap(({ path, bytes }) => (bytes > 0 && REPAIR_PATH.test(path) ? [path] : [])));
    this.#seen.set(node.id, { life: node.lives, paths, atUs: this.#reporter.nowUs });
    if (before === undefined || before.life !== node.lives || this.#struck(node.id, before.atUs - PROVEN_US)) return;
    for (const path of before.paths) if (!paths.has(path)) this.#gone(node, path);
  }

  #gone(node: WatchedNode, path: string): void {
    const digest = REPAIR_PATH.exec(path)?.[1];
    const tree = node.running?.replica.tree;
    const { nowUs } = this.#reporter;
    // A damaged repair goes when it is read, however much later that is.
    if (this.#oracle.ledger.of(node.id).some((damage) => damage.path === path)) return;
    for (const meta of tree?.durable.list() ?? []) {
      if (meta.fileDigest !== digest || !tree?.materialized.levels.some((level) => level.some((table) => table.id === meta.id))) continue;
      if (this.#oracle.census.asBorn(node.id, meta) || this.#oracle.verdict.struckSince(node.id, meta, nowUs - PROVEN_US)) continue;
      this.#reporter.broken('repairs are kept until the fault is gone', node.id, `H5 node ${node.id} has dropped ${path}, and its table ${meta.id} is still not as it was born`);
    }
  }

  #struck(node: number, sinceUs: number): boolean {
    const { ledger } = this.#oracle;
    if (ledger.forgets(node)) return true;
    return ledger.any(node, 'repairs', sinceUs) !== undefined;
  }
}
