/**
 * R4: which leader a majority still followed, and when: by the heartbeats that are sent and the
 * answers to them.
 */

import type { NodeId, Term } from '../../../base/ids.js';
import { MSG_HEARTBEAT, MSG_HEARTBEAT_RESP, type MessageHead } from './raft-frames.js';

/** Of the leader of one term: rounds have a number each, and go to every follower. */
interface Led {
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
  /** Followers that make a majority with their leader. */
  readonly #needed: number;
  readonly #terms = new Map<Term, Led>();

  constructor(now: () => number, nodes: number) {
    this.#now = now;
    this.#needed = Math.floor(nodes / 2);
  }

  /** When it is sent. */
  onMessage({ type, from, term, round }: MessageHead): void {
    if (type === MSG_HEARTBEAT) this.#sent(term, round);
    else if (type === MSG_HEARTBEAT_RESP) this.#answered(term, from, round);
  }

  /** A majority has answered a heartbeat that was sent at this time or later. */
  confirmedSince(us: number): boolean {
    for (const { answeredUs } of this.#terms.values()) {
      let followers = 0;
      for (const sentUs of answeredUs.values()) if (sentUs >= us) followers++;
      if (followers >= this.#needed) return true;
    }
    return false;
  }

  #sent(term: Term, round: number): void {
    let led = this.#terms.get(term);
    if (led === undefined) {
      this.#terms.set(term, (led = { sentUs: new Map(), answeredUs: new Map() }));
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
