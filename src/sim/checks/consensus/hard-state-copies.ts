/**
 * R2: while a member runs, the newest record of its hard state is in at least three slots of the
 * medium, whatever it is about: one that fewer took is not durable, and who goes on with it relies
 * on what the next two damaged slots take away. Damage since the last look excuses it, and a sync
 * that failed; a write that the disk refused does not.
 */

import type { NodeId } from '../../../base/ids.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import { HARD_STATE, MUST_HOLD, slotsOf } from './hard-state-slots.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class HardStateCopies {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  /** When all was well last. */
  readonly #wholeAtUs = new Map<NodeId, number>();

  constructor(reporter: Reporter, oracle: DamageOracle) {
    this.#reporter = reporter;
    this.#oracle = oracle;
  }

  /** The replica of `node` is open. */
  look({ id, disk }: WatchedNode): void {
    const { nowUs } = this.#reporter;
    const sequences = slotsOf(disk.medium(HARD_STATE)).map((slot) => slot?.sequence ?? 0);
    const newest = Math.max(0, ...sequences);
    const held = sequences.filter((sequence) => sequence === newest).length;
    if (newest > 0 && held >= MUST_HOLD) {
      this.#wholeAtUs.set(id, nowUs);
      return;
    }
    const { ledger } = this.#oracle;
    const since = this.#wholeAtUs.get(id) ?? 0;
    if (ledger.changed(id, HARD_STATE, since) !== undefined || ledger.displaced(id, HARD_STATE) !== undefined) return;
    if (ledger.of(id).some(({ atUs, kind, path }) => kind === 'sync-error' && path === HARD_STATE && atUs >= since)) return;
    this.#reporter.broken('the hard state is in three copies', id, `R2 node ${id} goes on with record ${newest} of its hard state in ${held} copies`);
  }
}
