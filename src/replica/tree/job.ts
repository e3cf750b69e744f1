/**
 * A seal or a plan that this member is to carry out.
 *
 *   queued      it waits for its turn
 *   running     its tables are being made
 *   deferred    it ran, and its inputs are not here yet or cannot be read: a new job for the same
 *               seal or plan is queued after a while
 *   done        it ran, or was closed before
 *
 * A job may be cancelled while it waits or runs: its seal or plan is closed, or the member stops.
 * What it makes is then not reported.
 */

import { assert } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';
import type { LogIndex } from '../../base/ids.js';
import type { PendingPlan, PendingSeal } from '../../storage/version/pending.js';

export type Work = { readonly kind: 'flush'; readonly seal: PendingSeal } | { readonly kind: 'compact'; readonly plan: PendingPlan };

type Stage = 'queued' | 'running' | 'deferred' | 'done';

const MOVES: Readonly<Record<Stage, readonly Stage[]>> = {
  queued: ['running', 'done'],
  running: ['deferred', 'done'],
  deferred: ['done'],
  done: [],
};

export class Job {
  readonly work: Work;
  /** Resolved when this run is over, deferred or not. */
  readonly done = new Deferred<void>();
  #stage: Stage = 'queued';
  #cancelled = false;

  constructor(work: Work) {
    this.work = work;
  }

  /** Log index of the seal or plan: the `sequence` of the births of what it makes. */
  get sequence(): LogIndex {
    return this.work.kind === 'flush' ? this.work.seal.index : this.work.plan.index;
  }

  get stage(): Stage {
    return this.#stage;
  }

  get cancelled(): boolean {
    return this.#cancelled;
  }

  cancel(): void {
    this.#cancelled = true;
  }

  /** Something will come of it. */
  get live(): boolean {
    return this.#stage !== 'done' && !this.#cancelled;
  }

  to(next: Stage): void {
    assert(MOVES[this.#stage].includes(next), `H4 the job of entry ${this.sequence} is ${this.#stage}, and does not become ${next}`);
    this.#stage = next;
  }
}
