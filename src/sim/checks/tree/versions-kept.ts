/**
 * A node that starts has the version it ended with: hard state names a manifest that is whole, and
 * the log begins where its tables end. Only a node whose disk lost its version takes that of a
 * peer: done by others, this would hide every manifest that was not made durable. So does one
 * whose log lost an entry together with its proof, if the others have dropped it meanwhile.
 */

import type { KintsugiEvent } from '../../../base/events.js';
import type { NodeId } from '../../../base/ids.js';
import { LOG_DAMAGED } from '../../../replica/log-recovery/recover-log.js';
import { VERSION_LOST } from '../../../replica/start/regain-version.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class VersionsKept {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  /** In which life a node last asked others for entries of a log that was damaged. */
  readonly #asked = new Map<NodeId, number>();

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  onEvent(node: WatchedNode, { message, data }: Extract<KintsugiEvent, { type: 'warning' }>): void {
    if (message === LOG_DAMAGED && this.#oracle.ledger.changed(node.id, 'log') !== undefined) this.#asked.set(node.id, node.lives);
    if (message !== VERSION_LOST) return;
    // It begins with a peer's version.
    if (String(data['why']).includes('this member was re-admitted')) return;
    const { ledger } = this.#oracle;
    if (ledger.forgets(node.id)) return;
    // A log that begins above the flushed index does not continue the tables: the node then takes
    // the version of a peer, rightly.
    if (this.#oracle.verdict.damagedLog(node.id) || this.#asked.get(node.id) === node.lives) return;
    // Damage to one copy of a record is no reason: the node must get over that alone.
    if (ledger.grave(node.id, 'manifest') !== undefined || ledger.displaced(node.id, 'manifest') !== undefined) return;
    this.#reporter.broken('the durable version is kept', node.id, `node ${node.id} starts without the version it had, and nothing was done to its manifest that it need not survive: ${String(data['why'])}`);
  }
}
