/** A member as the shell names it. */

import type { NodeId } from '../../base/ids.js';

export interface MemberConfig {
  readonly id: NodeId;
  readonly name: string;
  readonly peerUrls: readonly string[];
}
