/**
 * R4: which leader a majority still followed, and when: by the heartbeats that are sent and the
 * answers to them.
 */

import type { NodeId, Term } from '../../../base/ids.js';
import type { WatchedNode } from '../../cluster/watched-node.js';
import type { Configurations } from './configurations.js';
import { MSG_HEARTBEAT, MSG_HEARTBEAT_RESP, type MessageHead } from './raft-frames.js';

/** Of the leader of one term: rounds have a number each, and go to every follower. */
interface Led {
  readonly leader: WatchedNode;
  /** By round: when its first heartbeat left. */
  readonly sentUs: Map<number, number>;
  /** By follower: when the newest round left that it has answered. */
  readonly answeredUs: Map<NodeId, number>;
}

/** Leaders of earlier terms confirm nothing that matters. */
const TERMS_KEPT = 8;
const ROUNDS_KEPT = 512;

export class HeartbeatRounds {
  readonly #now: () => number;
  readonly #configurations: Configurations;
  readonly #terms = new Map<Term, Led>();

  constructor(now: () => number, configurations: Configurations) {
    this.#now = now;
    this.#configurations = configurations;
  }

  /** When it is sent, by this node. */
  onMessage(node: WatchedNode, { type, from, term, round }: MessageHead): void {
    if (type === MSG_HEARTBEAT) this.#sent(node, term, round);
    else if (type === MSG_HEARTBEAT_RESP) this.#answered(term, from, round);
  }

  /**
   * A majority has answered a heartbeat that was sent at this time or later, or one of `nodes`
   * leads alone.
   */
  confirmedSince(us: number, nodes: readonly WatchedNode[] = []): boolean {
    const withinUs = this.#now() - us;
    for (const { leader, answeredUs } of this.#terms.values()) {
      const answered = (id: NodeId): boolean => id === leader.member || (answeredUs.get(id) ?? -1) >= us;
      if (this.#configurations.isQuorum(leader, answered, withinUs)) return true;
    }
    const isLeader = (node: WatchedNode): boolean => node.running?.replica.driver.node.isLeader === true;
    return nodes.some((node) => isLeader(node) && this.#configurations.isQuorum(node, (id) => id === node.member, withinUs));
  }

  #sent(leader: WatchedNode, term: Term, round: number): void {
    let led = this.#terms.get(term);
    if (led === undefined) {
      this.#terms.set(term, (led = { leader, sentUs: new Map(), answeredUs: new Map() }));
      for (const old of this.#terms.keys()) if (this.#terms.size > TERMS_KEPT) this.#terms.delete(old);
    }
    const { sentUs } = led;
    if (sentUs.has(round)) return;
    sentUs.set(round, this.#now());
    for (const old of sentUs.keys()) if (sentUs.size > ROUNDS_KEPT) sentUs.delete(old);
  }

  #answered(term: Term, follower: NodeId, round: number): void {
    const led = this.#terms.get(term);
    const sentUs = led?.sentUs.get(round);
    if (led === undefined || sentUs === undefined) return;
    if (sentUs > (led.answeredUs.get(follower) ?? -1)) led.answeredUs.set(follower, sentUs);
  }
}
