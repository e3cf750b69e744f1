/**
 * D1: a block that lies within parity on its medium is read. Neither a peer nor a heal is asked for
 * what the node's own disk still has; and what parity can restore is counted from the bytes that
 * differ, not asked of the decoder.
 */

import type { KintsugiEvent } from '../../../base/events.js';
import { tablePath } from '../../../storage/table/table-meta.js';
import { isReadFault } from '../../oracle/damage.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import { isWithinParity } from '../../oracle/parity-reach.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class ParityUsed {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  /** Told synchronously, from within the read. */
  onEvent(node: WatchedNode, { table, offset, why }: Extract<KintsugiEvent, { type: 'block-unreadable' }>): void {
    const meta = this.#oracle.census.metaAt(node, table);
    const pristine = meta === undefined ? undefined : this.#oracle.census.pristine(meta.fileDigest);
    const path = tablePath(table);
    const copy = node.disk.medium(path);
    const region = pristine?.touched(offset, 1)[0];
    if (meta === undefined || pristine === undefined || copy === undefined || region === undefined || this.#excused(node.id, path)) return;
    const stored = copy.subarray(region.offset, region.offset + region.length);
    if (!isWithinParity(stored, pristine.bytes.subarray(region.offset, region.offset + region.length), region.spec)) return;
    this.#reporter.broken('what parity can restore is read', node.id,
      `D1 node ${node.id} cannot read the ${region.kind} block at ${offset} of table ${table} (${why}), which is within parity on its medium`);
  }

  /**
   * What was read is not what the medium holds: a read that failed or lied, or a descriptor of a
   * file that had this name.
   */
  #excused(node: number, path: string): boolean {
    const { ledger } = this.#oracle;
    return ledger.displaced(node, 'tables') !== undefined || ledger.of(node).some((damage) => damage.path === path && isReadFault(damage));
  }
}
