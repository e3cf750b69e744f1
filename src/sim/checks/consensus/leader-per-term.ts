/**
 * R1 at most one leader per term, over all lives: by what nodes say of themselves, and by messages
 * that only a leader sends.
 */

import type { NodeId, Term } from '../../../base/ids.js';
import { MESSAGE_TYPES, MSG_APP, MSG_HEARTBEAT, MSG_SNAP, MSG_TIMEOUT_NOW, type MessageHead } from './raft-frames.js';
import type { Reporter } from '../base/reporter.js';

export class LeaderPerTerm {
  readonly #reporter: Reporter;
  readonly #leaders = new Map<Term, NodeId>();
  /** Of the last message that was looked at: heartbeats of one leader need no second look. */
  #lastTerm: Term = 0;
  #lastFrom: NodeId = 0;

  constructor(reporter: Reporter) {
    this.#reporter = reporter;
  }

  /** `at`: the machine. */
  leads(node: NodeId, term: Term, how: string, at = node): void {
    const known = this.#leaders.get(term);
    if (known === undefined) this.#leaders.set(term, node);
    else if (known !== node) this.#reporter.broken('one leader per term', at, `R1 nodes ${known} and ${node} both lead in term ${term} (${how})`);
  }

  onMessage({ type, from, term }: MessageHead, at = from): void {
    if (type !== MSG_HEARTBEAT && type !== MSG_APP && type !== MSG_SNAP && type !== MSG_TIMEOUT_NOW) return;
    if (term === this.#lastTerm && from === this.#lastFrom) return;
    this.#lastTerm = term;
    this.#lastFrom = from;
    this.leads(from, term, `sends ${MESSAGE_TYPES[type]}`, at);
  }

  /** Who led in it; undefined: nobody was seen to. */
  of(term: Term): NodeId | undefined {
    return this.#leaders.get(term);
  }
}
