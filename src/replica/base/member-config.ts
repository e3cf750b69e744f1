/** A member as the shell names it. */

import type { NodeId } from '../../base/ids.js';

export interface MemberConfig {
  readonly id: NodeId;
  readonly name: string;
  readonly peerUrls: readonly string[];
  /** It does not vote, as far as whoever told of it knew. Missing: it may. */
  readonly learner?: boolean;
}
