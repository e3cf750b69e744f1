/**
 * H1: a hint means a fault. Where nothing was ever done to the bytes of a table on a node, and at
 * most one read of them failed or lied, two readings cannot both have found one: a hint would have
 * every member rewrite or read a table for a cosmic ray in a cache.
 */

import type { KintsugiEvent } from '../../../base/events.js';
import { tablePath } from '../../../storage/table/table-meta.js';
import { isReadFault, isSlowness } from '../../oracle/damage.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class HintsTrue {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  onEvent(node: WatchedNode, event: Extract<KintsugiEvent, { type: 'hint' }>): void {
    if (event.node !== node.member || event.state !== 'open') return;
    const meta = this.#oracle.census.metaAt(node, event.table);
    if (meta === undefined || !this.#oracle.census.asBorn(node.id, meta)) return;
    const path = tablePath(meta.id);
    const { ledger } = this.#oracle;
    if (ledger.forgets(node.id) || ledger.displaced(node.id, 'tables') !== undefined) return;
    let readFaults = 0;
    for (const damage of ledger.of(node.id)) {
      const same = damage.path === path || damage.path.endsWith('.tmp') || this.#oracle.census.isNameOf(damage.path, meta.fileDigest);
      if (!damage.path.startsWith('tables/') || !same || isSlowness(damage)) continue;
      if (!isReadFault(damage) || damage.kind === 'sticky-read-error') return;
      readFaults++;
    }
    if (readFaults > 1) return;
    this.#reporter.broken('hints mean faults', node.id,
      `H1 node ${node.id} has a hint (${event.kind}) against table ${event.table}, whose bytes are as they were born and were never struck; ${readFaults} of its reads failed`);
  }
}
