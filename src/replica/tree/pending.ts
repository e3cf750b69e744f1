/** Whether a seal or plan still waits for its edit. */

import type { LogIndex } from '../../base/ids.js';
import type { LogicalManifest } from '../../storage/version/logical-manifest.js';

export function isPending({ seals, plans }: LogicalManifest, plan: LogIndex): boolean {
  return seals.some((seal) => seal.index === plan) || plans.some((pending) => pending.index === plan);
}
