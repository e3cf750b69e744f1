/**
 * What the workload needs of a simulated node: clients know of a node that it is up, its address
 * and its store, and nothing else.
 */

import type { LeaseApi } from '../../api/services/lease.js';
import type { NodeId } from '../../base/ids.js';
import type { NodeStore } from '../../node/node-store.js';
import type { Process } from '../world/world.js';

export type WorkloadStore = Pick<NodeStore, 'range' | 'put' | 'deleteRange' | 'txn' | 'compact'> & { readonly lease: Pick<LeaseApi, 'revoke'> };

export interface WorkloadNode {
  readonly id: NodeId;
  readonly state: 'down' | 'opening' | 'up' | 'fenced' | 'away';
  readonly lives: number;
  readonly running: { readonly process: Process; readonly store: WorkloadStore } | undefined;
}
