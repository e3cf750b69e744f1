/**
 * What whoever runs a member can see of it while it opens: whether it waits for an entry of its log
 * that nobody who can be asked has, or for room to write what it got. It takes part in nothing
 * then, and may serve what was applied before (D1). One of each start; the member that opens
 * writes it.
 */

import { Deferred } from '../../base/deferred.js';
import { sleep, type Env } from '../../base/env.js';
import type { Term } from '../../base/ids.js';
import { ReplicaError } from '../base/errors.js';
import type { DamagedLog } from '../log/damaged-log.js';
import type { Version } from '../../storage/version/version.js';

/** What it has. Nothing of it changes but the reason. */
export interface Undecided {
  /** Durable, with the tables that are here; undefined: it is lost. */
  readonly version: Version | undefined;
  /** As it was found. */
  readonly log: DamagedLog;
  /** That hard state holds. */
  readonly term: Term;
  /** The entry, and why it is not here; or room; undefined: it goes on. */
  readonly recovery: { readonly waitsFor: string | undefined };
}

export class Outlook {
  readonly #waiting = new Deferred<Undecided>();
  readonly #abandoned = new Deferred();
  #offered: Undecided | undefined;
  #isAbandoned = false;

  /** Resolves when the member waits, which may be never. */
  get waiting(): Promise<Undecided> {
    return this.#waiting.promise;
  }

  /** Whoever runs the member stops it: if it waits, its opening rejects with ABANDONED. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#abandoned.resolve();
  }

  // The member that opens.

  /** That is what there is to see once it {@link waits}. */
  offer(undecided: Undecided): void {
    this.#offered = undecided;
  }

  /** May be said more than once: the first time counts. */
  waits(): void {
    if (this.#offered !== undefined) this.#waiting.resolve(this.#offered);
  }

  /** Resolves with `work`, or earlier. Rejects with ReplicaError ABANDONED. */
  async unlessAbandoned(work: Promise<void>): Promise<void> {
    await Promise.race([work, this.#abandoned.promise]);
    if (this.#isAbandoned) throw new ReplicaError('ABANDONED', 'this member was stopped while it waited for entries of its log');
  }
}

/** Rejects with ReplicaError ABANDONED. */
export function pauseOf({ clock }: Pick<Env, 'clock'>, outlook: Outlook | undefined, ms: number): Promise<void> {
  const pause = sleep(clock, ms);
  return outlook?.unlessAbandoned(pause) ?? pause;
}
