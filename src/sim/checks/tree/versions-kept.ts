/**
 * A node that starts has the version it ended with: hard state names a manifest that is whole, and the log begins where its tables end.
 * That of a peer, which stands in for a lost one, is for nodes whose disk lost theirs: it would hide every manifest that was not made
 * durable.
 */

import type { KintsugiEvent } from '../../../base/events.js';
import { VERSION_LOST } from '../../../replica/start/regain-version.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class VersionsKept {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  onEvent(node: WatchedNode, { message, data }: Extract<KintsugiEvent, { type: 'warning' }>): void {
    if (message !== VERSION_LOST) return;
    const { ledger } = this.#oracle;
    if (ledger.forgets(node.id)) return;
    // A log that lost its beginning no longer leads on from the tables (design 5.8).
    if (this.#oracle.verdict.damagedLog(node.id)) return;
    // What was done to one copy of a record, the node must get over alone.
    if (ledger.grave(node.id, 'manifest') !== undefined || ledger.displaced(node.id, 'manifest') !== undefined) return;
    this.#reporter.broken('the durable version is kept', node.id, `node ${node.id} starts without the version it had, and nothing was done to its manifest that it need not survive: ${String(data['why'])}`);
  }
}
