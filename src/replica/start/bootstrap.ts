/**
 * The first leader's settings become the cluster's: it proposes them once it leads, and again in
 * each later term until an entry with some is applied. The log may refuse at first, so it is tried
 * now and then.
 */

import type { Env } from '../../base/env.js';
import type { Term } from '../../base/ids.js';
import type { TreeSettings } from '../../storage/base/settings.js';
import type { RaftDriver } from '../consensus/raft-driver.js';
import { encodeBootstrap } from '../entry/entry.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Leadership } from '../state/leadership.js';
import type { Life } from '../state/life.js';

export interface BootstrapParts {
  readonly env: Env;
  readonly life: Life;
  readonly leadership: Leadership;
  readonly driver: RaftDriver;
  readonly state: ReplicatedState;
  /** What this member was started with. */
  readonly settings: TreeSettings;
}

export class Bootstrap {
  readonly #parts: BootstrapParts;
  /** The last term in which they were: only grows. */
  #proposedIn: Term = 0;

  constructor(parts: BootstrapParts) {
    this.#parts = parts;
    parts.leadership.subscribe(() => parts.env.clock.defer(() => this.tick()));
  }

  tick(): void {
    const { life, leadership, driver, state, settings } = this.#parts;
    if (state.settings !== undefined || !leadership.isLeader || this.#proposedIn >= leadership.term || life.ended) return;
    if (driver.proposeAsLeader(encodeBootstrap(settings))) this.#proposedIn = leadership.term;
  }
}
