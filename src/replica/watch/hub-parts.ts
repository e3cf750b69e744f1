/** What the watchers of a member see of it. */

import type { Env } from '../../base/env.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { HealingHooks } from '../hooks/healing-hooks.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Reads } from '../reads/reads.js';
import type { Leadership } from '../state/leadership.js';
import type { Life } from '../state/life.js';
import type { Progress } from '../state/progress.js';

export interface WatchHubParts {
  readonly env: Pick<Env, 'clock' | 'workers'>;
  readonly life: Life;
  readonly tree: Tree;
  readonly state: Pick<ReplicatedState, 'kv' | 'recent' | 'access'>;
  readonly reads: Pick<Reads, 'open' | 'serializable'>;
  readonly progress: Pick<Progress, 'applied'>;
  readonly leadership: Pick<Leadership, 'leader'>;
  readonly healing: Pick<HealingHooks, 'repair'>;
}
