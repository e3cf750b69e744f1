/**
 * Who leads, as this member knows it, and what this member may do about it. The Raft core decides;
 * this object lets everybody else see it. Written by the Raft driver, and, for whether an entry of
 * the own term is applied, by apply and by whoever puts another version in place.
 *
 * S3: a leader may shape the tree only once it has applied an entry of its own term: before,
 * entries of earlier leaders may still change what it would decide by.
 */

import { assert, must } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';
import type { NodeId, Term } from '../../base/ids.js';
import type { Role } from '../../raft/types.js';
import type { Life } from './life.js';

/** What is read of the Raft core. */
export interface Core {
  readonly lead: NodeId;
  readonly term: Term;
  readonly role: Role;
  readonly isLeader: boolean;
}

export interface LeadershipChange {
  readonly role: Role;
  /** 0: none is known. */
  readonly leader: NodeId;
  readonly term: Term;
}

export class Leadership {
  readonly self: NodeId;
  readonly #life: Life;
  #core: Core | undefined;
  /** S3 An entry of the current term is applied here; looked at only while this member leads. */
  #ownTermApplied = false;
  /** R1 The term of the last change: terms only grow. */
  #term: Term = 0;
  readonly #subscribers: ((change: LeadershipChange) => void)[] = [];
  #waiting: Deferred<NodeId>[] = [];

  constructor(self: NodeId, life: Life) {
    this.self = self;
    this.#life = life;
  }

  /** 0 when none is known. */
  get leader(): NodeId {
    return this.#current.lead;
  }

  get term(): Term {
    return this.#current.term;
  }

  get role(): Role {
    return this.#current.role;
  }

  /** This member leads. */
  get isLeader(): boolean {
    return this.#current.isLeader;
  }

  /** S3: this member leads, and knows the tree that it leads. */
  get mayShapeTree(): boolean {
    return this.#current.isLeader && this.#ownTermApplied && !this.#life.ended;
  }

  /** This member leads, and has not yet applied an entry of its own term. */
  get awaitsOwnTerm(): boolean {
    return !this.#ownTermApplied && this.#current.isLeader;
  }

  /**
   * Resolves with the next leader that this member sees; see {@link leader} for the current one.
   */
  next(): Promise<NodeId> {
    const waiting = new Deferred<NodeId>();
    this.#waiting.push(waiting);
    return waiting.promise;
  }

  /** After each change of role, leader or term: at once, in order of subscription. */
  subscribe(subscriber: (change: LeadershipChange) => void): void {
    this.#subscribers.push(subscriber);
  }

  // Writers.

  /**
   * The Raft driver's: where the answers come from. The core of a serving member is replaced only
   * by one that follows, in no earlier term.
   */
  attach(core: Core): void {
    assert(!this.#life.serving || (!core.isLeader && core.term >= this.#term), `R1 a core that begins anew follows, from term ${this.#term} on`);
    this.#core = core;
  }

  /** The Raft driver's: role, leader or term has changed. */
  changed(): void {
    this.#ownTermApplied = false;
    const { role, lead: leader, term } = this.#current;
    assert(term >= this.#term, `R1 terms only grow: ${term} after ${this.#term}`);
    assert(role !== 'leader' || leader === this.self, `R1 one leader in term ${term}, not ${leader} and ${this.self}`);
    this.#term = term;
    for (const subscriber of this.#subscribers) subscriber({ role, leader, term });
    if (leader === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one.resolve(leader);
  }

  /** Apply's: an entry of `term` is applied. */
  applied(term: Term): void {
    assert(term <= this.#current.term, `R1 no entry of a later term is applied: ${term} in term ${this.#current.term}`);
    if (this.awaitsOwnTerm && term === this.#current.term) this.#ownTermApplied = true;
  }

  /** Another version took the place of what was applied: it ends with an entry of `term`. */
  reset(term: Term): void {
    this.#ownTermApplied = this.#current.isLeader && term === this.#current.term;
  }

  get #current(): Core {
    return must(this.#core, 'R1 the core is there before anybody asks who leads');
  }
}
