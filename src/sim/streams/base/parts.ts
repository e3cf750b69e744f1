/**
 * What clients that watch and hold leases work with: the nodes as machines that are up or not, the
 * ways there, and the history that all clients of a run share.
 */

import type { Coverage } from '../../model/coverage.js';
import type { ViolationKind } from '../../model/result.js';
import type { StreamSettings } from '../../model/stream-settings.js';
import type { SimNode } from '../../cluster/sim-node.js';
import type { World } from '../../world/world.js';
import type { ClientLinks } from '../../workload/client-links.js';
import type { History } from '../../workload/history/history.js';
import type { NodeAccess } from '../../workload/node-access.js';
import type { Values } from '../../workload/values.js';

export interface StreamParts {
  readonly world: World;
  readonly settings: StreamSettings;
  /** Machines of clients: each is shared by clients of all kinds. */
  readonly machines: number;
  readonly nodes: readonly SimNode[];
  readonly links: ClientLinks;
  readonly coverage: Coverage;
  readonly history: History;
  readonly access: NodeAccess;
  /** Sorted. */
  readonly keys: readonly string[];
  readonly values: Values;
  readonly report: (kind: ViolationKind, check: string, message: string, node: number) => void;
  /** A node says that every copy of something is lost: whether that is so is for the oracle. */
  readonly dataLoss: (node: number, message: string) => void;
}

/** Nodes that a client may try. */
export function membersOf(nodes: readonly SimNode[]): readonly SimNode[] {
  const members = nodes.filter(({ state }) => state !== 'away');
  return members.length === 0 ? nodes : members;
}
