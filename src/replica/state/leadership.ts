/**
 * Who leads, as this member knows it, and what this member may do about it. The Raft core decides;
 * this object lets everybody else see it. It is written by the Raft driver (`consensus/`) and by
 * apply (own term), and by nobody else.
 *
 * S3: a leader may shape the tree only once it has applied an entry of its own term: before,
 * entries of earlier leaders may still change what it would decide by.
 */

import { assert, must } from '../../base/assert.js';
import { Deferred } from '../../base/deferred.js';
import type { NodeId, Term } from '../../base/ids.js';
import type { Role } from '../../raft/types.js';
import type { Life } from './life.js';

/** What of the Raft core is looked at. */
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
  /** S3 An entry of the present term is applied here; looked at only while this member leads. */
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
    return this.#present.lead;
  }

  get term(): Term {
    return this.#present.term;
  }

  get role(): Role {
    return this.#present.role;
  }

  /** This member leads. */
  get isLeader(): boolean {
    return this.#present.isLeader;
  }

  /** S3: this member leads, and knows the tree that it leads. */
  get mayShapeTree(): boolean {
    return this.#present.isLeader && this.#ownTermApplied && !this.#life.ended;
  }

  /**
   * Resolves with the next leader that this member sees; see {@link leader} for the present one.
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
   * The Raft driver's: where the answers come from. Another core takes its place only before the
   * member serves.
   */
  attach(core: Core): void {
    assert(!this.#life.serving, 'the core of a serving member stays');
    this.#core = core;
  }

  /** The Raft driver's: role, leader or term is another. */
  changed(): void {
    this.#ownTermApplied = false;
    const { role, lead: leader, term } = this.#present;
    assert(term >= this.#term, `R1 terms only grow: ${term} after ${this.#term}`);
    assert(role !== 'leader' || leader === this.self, `R1 one leader in term ${term}, not ${leader} and ${this.self}`);
    this.#term = term;
    for (const subscriber of this.#subscribers) subscriber({ role, leader, term });
    if (leader === 0) return;
    const waiting = this.#waiting;
    this.#waiting = [];
    for (const one of waiting) one.resolve(leader);
  }

  /** This member leads, and its own term has still to show in what it has applied. */
  get awaitsOwnTerm(): boolean {
    return !this.#ownTermApplied && this.#present.isLeader;
  }

  /** Apply's: an entry of `term` is applied. */
  applied(term: Term): void {
    assert(term <= this.#present.term, `R1 nothing is applied of a term to come: ${term} in term ${this.#present.term}`);
    if (this.awaitsOwnTerm && term === this.#present.term) this.#ownTermApplied = true;
  }

  /** Another version took the place of what was applied: it ends with an entry of `term`. */
  reset(term: Term): void {
    this.#ownTermApplied = this.#present.isLeader && term === this.#present.term;
  }

  get #present(): Core {
    return must(this.#core, 'R1 the core is there before anybody asks who leads');
  }
}
