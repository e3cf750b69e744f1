/**
 * The shapes in which a cluster falls apart (the catalogue of Jepsen's nemeses). Each draws who is
 * where, cuts, and returns what undoes its own cuts and no others. To hear means: messages from
 * there arrive here.
 */

import type { NodeId } from '../../base/ids.js';
import type { Stream } from '../world/random.js';
import type { ClientDirection } from './client-links.js';
import type { SimNetwork } from './sim-network.js';

export type Undo = () => void;

/** One node has neither way to any other. */
export function isolateOne(network: SimNetwork, nodes: readonly NodeId[], random: Stream): Undo {
  const alone = random.pick(nodes);
  return cutUnless(network, nodes, (from, to) => from !== alone && to !== alone);
}

/** Two groups, the larger by at most one, that do not meet. */
export function halves(network: SimNetwork, nodes: readonly NodeId[], random: Stream): Undo {
  const order = random.shuffled(nodes);
  const first = new Set(order.slice(0, order.length >> 1));
  return cutUnless(network, nodes, (from, to) => first.has(from) === first.has(to));
}

/** Two groups that do not meet, and one node that is in both. */
export function bridge(network: SimNetwork, nodes: readonly NodeId[], random: Stream): Undo {
  const [between, ...rest] = random.shuffled(nodes);
  const first = new Set(rest.slice(0, rest.length >> 1));
  return cutUnless(network, nodes, (from, to) => from === between || to === between || first.has(from) === first.has(to));
}

/**
 * Every node hears a majority (itself included), and no two hear the same one: a window that slides
 * around a ring. Of three nodes each hears one other, and the ring turns one way only.
 */
export function majoritiesRing(network: SimNetwork, nodes: readonly NodeId[], random: Stream): Undo {
  const order = random.shuffled(nodes);
  const size = order.length;
  const majority = (size >> 1) + 1;
  const before = (majority - 1) >> 1;
  const place = new Map(order.map((id, at) => [id, at]));
  return cutUnless(network, nodes, (from, to) => {
    const ahead = ((place.get(from) ?? 0) - (place.get(to) ?? 0) + before + size) % size;
    return ahead < majority;
  });
}

/**
 * Cuts that leave the way back: of one link, of all that one node says, or of all that it hears.
 */
export function oneWay(network: SimNetwork, nodes: readonly NodeId[], random: Stream): Undo {
  const victim = random.pick(nodes);
  const other = random.pick(nodes.filter((id) => id !== victim));
  switch (random.below(3)) {
    case 0:
      return cutUnless(network, nodes, (from) => from !== victim);
    case 1:
      return cutUnless(network, nodes, (_, to) => to !== victim);
    default:
      return cutUnless(network, nodes, (from, to) => from !== victim || to !== other);
  }
}

/**
 * Some clients or all (numbers from 0 to `clients`) without a way to one node or several, in one
 * direction or both.
 */
export function clientCut(network: SimNetwork, nodes: readonly NodeId[], random: Stream, clients: number): Undo {
  const direction = random.pick<ClientDirection>(['both', 'both', 'to-node', 'to-client', 'to-client']);
  const all = random.chance(1, 3);
  const victims = random.shuffled(nodes).slice(0, random.between(1, nodes.length - 1));
  const undos: Undo[] = [];
  for (let client = 0; client <= clients; client++) {
    if (!all && !random.chance(1, 2)) continue;
    for (const node of victims) undos.push(network.clients.cutClient(client, node, direction));
  }
  return () => {
    for (const undo of undos) undo();
  };
}

function cutUnless(network: SimNetwork, nodes: readonly NodeId[], open: (from: NodeId, to: NodeId) => boolean): Undo {
  const undos: Undo[] = [];
  for (const from of nodes) {
    for (const to of nodes) if (from !== to && !open(from, to)) undos.push(network.cuts.cut(from, to));
  }
  return () => {
    for (const undo of undos) undo();
  };
}
