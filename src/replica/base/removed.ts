/** What a member is told that the cluster has removed. */

import { formatId, type NodeId } from '../../base/ids.js';
import { ReplicaError } from './errors.js';

export function removedError(self: NodeId, how: string): ReplicaError {
  return new ReplicaError(
    'REMOVED',
    `this member (${formatId(self)}) was removed from the cluster: ${how}. Its id is never used again. To take part again, add it as a new member ` +
      '(kintsugi ctl member add) and start it with an empty data directory and --initial-cluster-state existing',
  );
}
