/**
 * The way between clients and nodes, as the workload needs it: what is sent arrives late, or never.
 */

import type { NodeId } from '../../base/ids.js';

export interface ClientLinks {
  /**
   * Calls `fn` when the request reaches the node's machine, whether or not a process is there to
   * take it.
   */
  toNode(client: number, node: NodeId, fn: () => void): void;
  /** Calls `fn` when the answer reaches the client. */
  toClient(client: number, node: NodeId, fn: () => void): void;
}
