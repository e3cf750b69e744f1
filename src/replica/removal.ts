/**
 * The end of a member that was removed from the cluster. It learns of it from its own log, or from
 * a peer that takes nothing from it any more, while it runs or at its next start. Its id is never
 * used again (R1), so there is nothing that it could come back for.
 *
 * Its own log is not enough to end: those that stay may not know yet, beyond their next power
 * failure, that the removal is committed, and need its vote then (`removed-members.ts`).
 */

import type { Env } from '../base/env.js';
import type { LogIndex } from '../base/ids.js';
import { removedError } from './base/removed.js';
import type { Life } from './state/life.js';
import type { Membership } from './state/membership.js';

export const REMOVAL_WAITS = 'this member was removed from the cluster: it ends when another member says so, too';

export interface RemovalParts {
  readonly env: Pick<Env, 'clock' | 'events'>;
  readonly life: Life;
  readonly membership: Membership;
  readonly electionMs: number;
}

/**
 * Ends this member, but not before what it has promised until then, and what it knows to be
 * committed, is with the others, and whoever asked it for the removal is answered.
 */
export class Removal {
  readonly #parts: RemovalParts;
  #over = false;
  #saidSo = false;

  constructor(parts: RemovalParts) {
    this.#parts = parts;
    const { membership } = parts;
    membership.subscribe((index) => {
      if (membership.isRemoved(membership.self)) this.#waits(index);
    });
  }

  #waits(index: LogIndex): void {
    if (this.#over || this.#saidSo) return;
    this.#saidSo = true;
    this.#parts.env.events.emit({ type: 'warning', message: REMOVAL_WAITS, data: { entry: index } });
  }

  /** By whom, or by what. More than once does nothing more. */
  told(how: string): void {
    const { env, life, membership, electionMs } = this.#parts;
    if (this.#over) return;
    this.#over = true;
    env.events.emit({ type: 'warning', message: 'this member was removed from the cluster: it ends', data: { how } });
    env.clock.setTimer(electionMs, () => life.fail(removedError(membership.self, how)));
  }
}
