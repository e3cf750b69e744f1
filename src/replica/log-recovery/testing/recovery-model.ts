/**
 * A small cluster as a state that can be enumerated: Raft without messages, and the recovery of
 * damaged logs by the very functions that ship (`says`, `raises`, `decide`, `Voters`). An entry is
 * its term: of one index and term there is only one.
 *
 * What may happen, in any order: an election, a leader's append, the replication of one entry or
 * of all to one follower, a crash that leaves some of a node's entries bad (their terms known or
 * not), or takes its last ones without a trace, so that the end of its log is not known (also where
 * none was lost), one question about one hole to one peer, answered at that moment. Answers come
 * one by one, so that anything may happen between two of them. A node that is away is one that does
 * nothing and is asked nothing.
 */

import { assert } from '../../../base/assert.js';
import { decide, type Heard, type Quorum, type Verdict } from '../decide.js';
import { raises, says, SAYINGS, type Place } from '../says.js';
import { termBetween } from '../terms.js';
import { Voters } from '../voters.js';
import { Lowered, subsets, Violation, type ModelOptions } from './model-options.js';
import { BAD, BOUND, FOLLOWER, HEARD, LEADER, LOG, MODE, OPEN, RECOVERING, TERM, UNKNOWN, type State } from './state.js';

export class RecoveryModel {
  readonly options: ModelOptions;
  readonly #node: number;
  readonly #committed: number;
  readonly #crashes: number;
  readonly #majority: number;
  readonly #quorum: Quorum;
  /** By node: those who make the smallest majorities with it. */
  readonly #majorities: number[][][];
  readonly #verdicts = new Map<number, Verdict>();

  constructor(options: ModelOptions) {
    this.options = options;
    const { nodes, entries } = options;
    this.#node = LOG + entries + nodes;
    this.#committed = nodes * this.#node;
    this.#crashes = this.#committed + entries;
    this.#majority = Math.floor(nodes / 2) + 1;
    this.#majorities = Array.from({ length: nodes }, (_, i) => subsets(nodes, this.#majority - 1, i));
    const voters = Array.from({ length: nodes }, (_, i) => i + 1);
    this.#quorum = options.quorumLowered ? new Lowered(nodes) : new Voters({ confState: { voters, votersOutgoing: [] } });
  }

  /** All are up in term 0, with empty logs. */
  initial(): State {
    const s = new Uint8Array(this.#crashes + 1);
    for (let i = 0; i < this.options.nodes; i++) s[i * this.#node] = FOLLOWER;
    s[this.#crashes] = this.options.crashes;
    return s;
  }

  /** All that may come next. Throws Violation. */
  next(s: State): State[] {
    const out: State[] = [];
    for (let i = 0; i < this.options.nodes; i++) {
      if (this.crashesLeft(s) > 0) this.#crashAll(s, i, out);
      if (this.#serves(s, i)) this.#electAll(s, i, out);
      if (this.mode(s, i) === LEADER) this.#leadAll(s, i, out);
      if (this.recovers(s, i)) this.#askAll(s, i, out);
    }
    return out;
  }

  mode(s: State, i: number): number {
    return s[i * this.#node + MODE] as number;
  }

  recovers(s: State, i: number): boolean {
    return this.mode(s, i) === RECOVERING || this.mode(s, i) === OPEN;
  }

  /** So many nodes serve that they can choose a leader. */
  canLead(s: State): boolean {
    let serving = 0;
    for (let i = 0; i < this.options.nodes; i++) if (this.#serves(s, i)) serving++;
    return serving >= this.#majority;
  }

  term(s: State, i: number): number {
    return s[i * this.#node + TERM] as number;
  }

  /** Of entry `k`, from 0 on; 0: there is none. */
  entry(s: State, i: number, k: number): number {
    return s[i * this.#node + LOG + k] as number;
  }

  length(s: State, i: number): number {
    let length = 0;
    while (length < this.options.entries && this.entry(s, i, length) > 0) length++;
    return length;
  }

  isBad(s: State, i: number, k: number): boolean {
    return (((s[i * this.#node + BAD] as number) >> k) & 1) === 1;
  }

  committed(s: State, k: number): number {
    return s[this.#committed + k] as number;
  }

  crashesLeft(s: State): number {
    return s[this.#crashes] as number;
  }

  /** Node `i` knows the term of its entry. */
  isKnown(s: State, i: number, k: number): boolean {
    const unknown = s[i * this.#node + UNKNOWN] as number;
    const isKnown = (n: number): boolean => ((unknown >> n) & 1) === 0;
    if (isKnown(k)) return true;
    let [before, after] = [k - 1, k + 1];
    while (before >= 0 && !isKnown(before)) before--;
    while (after < this.length(s, i) && !isKnown(after)) after++;
    return termBetween(before < 0 ? 0 : this.entry(s, i, before), after < this.length(s, i) ? this.entry(s, i, after) : 0) !== 0;
  }

  /** What may have followed a log whose end is not known comes after all else. */
  firstHole(s: State, i: number): number {
    const end = this.mode(s, i) === OPEN ? this.length(s, i) : this.options.entries;
    let k = 0;
    while (k < this.options.entries && !this.isBad(s, i, k) && (k !== end || this.#hasBad(s, i))) k++;
    return k;
  }

  #hasBad(s: State, i: number): boolean {
    return s[i * this.#node + BAD] !== 0;
  }

  /** Nobody has a good copy of what is bad there that can be told to be one. */
  isLost(s: State, i: number, k: number): boolean {
    for (let j = 0; j < this.options.nodes; j++) {
      const copy = this.entry(s, j, k) === this.entry(s, i, k) && !this.isBad(s, j, k);
      if (copy && (this.isKnown(s, i, k) || this.#proves(s, i, j, k))) return false;
    }
    return true;
  }

  // --- What happens ---

  /** `bad`, `unknown`: entries as bits; the term of the last one is always known. */
  crash(s: State, i: number, bad: number, unknown: number): State {
    assert(bad !== 0, 'a crash that spoils nothing is as good as a node that does nothing');
    const t = s.slice();
    const at = i * this.#node;
    if (this.mode(s, i) !== OPEN) t[at + MODE] = RECOVERING;
    t[at + BAD] = (t[at + BAD] as number) | bad;
    t[at + UNKNOWN] = ((t[at + UNKNOWN] as number) | unknown) & (t[at + BAD] as number);
    this.#forget(t, i);
    t[at + BOUND] = this.term(s, i);
    t[this.#crashes] = this.crashesLeft(s) - 1;
    return t;
  }

  /** What follows the first `to` entries is gone, and nothing says that it was there. */
  crashOpen(s: State, i: number, to: number): State {
    const { entries, openTakenForEnd = false } = this.options;
    const t = s.slice();
    const at = i * this.#node;
    for (let k = to; k < entries; k++) t[at + LOG + k] = 0;
    const left = (1 << to) - 1;
    t[at + BAD] = (t[at + BAD] as number) & left;
    t[at + UNKNOWN] = (t[at + UNKNOWN] as number) & left;
    t[at + MODE] = openTakenForEnd ? (t[at + BAD] === 0 ? FOLLOWER : RECOVERING) : OPEN;
    this.#forget(t, i);
    t[at + BOUND] = t[at + MODE] === FOLLOWER ? 0 : this.term(s, i);
    t[this.#crashes] = this.crashesLeft(s) - 1;
    return t;
  }

  /** Undefined: somebody would not vote for it. */
  elect(s: State, i: number, voters: readonly number[]): State | undefined {
    if (!voters.every((j) => this.#serves(s, j) && this.#isUpToDate(s, i, j))) return undefined;
    const term = 1 + Math.max(this.term(s, i), ...voters.map((j) => this.term(s, j)));
    const t = s.slice();
    for (const j of [i, ...voters]) this.#enter(t, j, term);
    t[i * this.#node + MODE] = LEADER;
    this.#match(t, i, i, this.length(s, i));
    for (let k = 0; k < this.options.entries; k++) {
      const committed = this.committed(s, k);
      if (committed !== 0 && committed !== this.entry(s, i, k)) throw new Violation(`node ${i} leads term ${term} without the committed entry ${k + 1} of term ${committed}`);
    }
    return t;
  }

  append(s: State, i: number): State {
    const t = s.slice();
    const length = this.length(s, i);
    t[i * this.#node + LOG + length] = this.term(s, i);
    this.#match(t, i, i, length + 1);
    this.#commit(t, i);
    return t;
  }

  /** Up to entry `to` of the leader's. */
  replicate(s: State, i: number, j: number, to: number): State {
    const t = s.slice();
    if (this.mode(s, j) === LEADER || this.term(s, j) < this.term(s, i)) this.#enter(t, j, this.term(s, i));
    let differs = false;
    for (let k = 0; k < to; k++) {
      if (this.entry(s, j, k) !== this.entry(s, i, k)) differs = true;
      t[j * this.#node + LOG + k] = this.entry(s, i, k);
    }
    if (differs) for (let k = to; k < this.options.entries; k++) t[j * this.#node + LOG + k] = 0;
    this.#match(t, i, j, Math.max(to, s[i * this.#node + LOG + this.options.entries + j] as number));
    this.#commit(t, i);
    return t;
  }

  /** Node `i` asks node `j` about its hole `k`. */
  ask(s: State, i: number, j: number, k: number): State {
    const at = i * this.#node;
    const truth = this.entry(s, i, k);
    const known = this.isKnown(s, i, k);
    const bound = this.options.boundOfEntry ? truth : (s[at + BOUND] as number);
    const before = k === 0 || this.entry(s, j, k - 1) === this.entry(s, i, k - 1);
    const joined = k > 0 && (this.isBad(s, i, k - 1) || this.entry(s, j, k - 1) === 0) ? undefined : before;
    const witness = { term: this.term(s, j), votes: true, leads: this.mode(s, j) === LEADER ? this.term(s, j) : 0 };
    const wanted = { term: known ? truth : 0, proven: !known && this.#proves(s, i, j, k), joined };
    const what = says(this.#place(s, j, k), wanted, bound, witness);
    if (what === 'unsure') return this.#raise(s, j, bound);
    const heard: Heard = { from: j + 1, says: what, leads: witness.leads };
    const first = this.firstHole(s, i) === k;
    const already = first ? (s[at + HEARD] as number) : 0;
    const verdict = this.#decide(heard, bound, already);
    const t = s.slice();
    switch (verdict.do) {
      case 'take':
        if (this.entry(s, j, k) !== truth) throw new Violation(`node ${i} takes an entry of term ${this.entry(s, j, k)} for one of term ${truth}`);
        this.#mended(t, i, k, k + 1);
        break;
      case 'follow':
        t[at + TERM] = Math.max(this.term(s, i), verdict.term);
        for (let n = k; n < this.options.entries; n++) t[at + LOG + n] = this.entry(s, j, n);
        this.#mended(t, i, k, this.options.entries);
        break;
      case 'cut':
        t[at + TERM] = Math.max(this.term(s, i), verdict.term);
        for (let n = k; n < this.options.entries; n++) t[at + LOG + n] = 0;
        this.#mended(t, i, k, this.options.entries);
        break;
      default:
        assert(verdict.do === 'wait', 'no log begins later here');
        if (first && what === 'lacks') t[at + HEARD] = already | (1 << j);
    }
    return t;
  }

  /**
   * What the shipped function says; asked once for each question, of which there are few.
   * `already`: peers, as bits, that said `lacks` before.
   */
  #decide(now: Heard, bound: number, already: number): Verdict {
    const question = ((((SAYINGS.indexOf(now.says) << 4) | now.leads) << 4 | now.from) << 4 | bound) << this.options.nodes | already;
    assert(now.leads < 16 && now.from < 16 && bound < 16, 'each part of a question has its own bits');
    const known = this.#verdicts.get(question);
    if (known !== undefined) return known;
    const heard = [now];
    for (let peer = 0; peer < this.options.nodes; peer++) {
      if (peer !== now.from - 1 && ((already >> peer) & 1) === 1) heard.push({ from: peer + 1, says: 'lacks', leads: 0 });
    }
    const verdict = decide(heard, this.#quorum, bound, true);
    this.#verdicts.set(question, verdict);
    return verdict;
  }

  // --- All ways in which it may happen ---

  #crashAll(s: State, i: number, out: State[]): void {
    const length = this.length(s, i);
    const already = s[i * this.#node + BAD] as number;
    for (let to = 0; to <= Math.min(length, this.options.entries - 1); to++) {
      // The term of the last one is always known.
      if (to === 0 || (((s[i * this.#node + UNKNOWN] as number) >> (to - 1)) & 1) === 0) out.push(this.crashOpen(s, i, to));
    }
    for (let bad = 1; bad < 1 << length; bad++) {
      if ((bad & already) !== 0) continue;
      out.push(this.crash(s, i, bad, 0));
      if (this.options.unknownTerms) out.push(this.crash(s, i, bad, bad & ~(1 << (length - 1))));
    }
  }

  /** Also beyond the last term, to see whether somebody could lead who lacks what was committed. */
  #electAll(s: State, i: number, out: State[]): void {
    for (const voters of this.#majorities[i] as number[][]) {
      const t = this.elect(s, i, voters);
      if (t !== undefined && this.term(t, i) <= this.options.terms) out.push(t);
    }
  }

  #leadAll(s: State, i: number, out: State[]): void {
    const length = this.length(s, i);
    if (length < this.options.entries) out.push(this.append(s, i));
    for (let j = 0; j < this.options.nodes; j++) {
      if (j === i || !this.#serves(s, j) || this.term(s, j) > this.term(s, i)) continue;
      let same = 0;
      while (same < length && this.entry(s, j, same) === this.entry(s, i, same)) same++;
      for (const to of new Set([Math.min(same + 1, length), length])) out.push(this.replicate(s, i, j, to));
    }
  }

  #askAll(s: State, i: number, out: State[]): void {
    for (let k = 0; k < this.options.entries; k++) {
      if (!this.isBad(s, i, k) && k !== this.firstHole(s, i)) continue;
      for (let j = 0; j < this.options.nodes; j++) if (j !== i) out.push(this.ask(s, i, j, k));
    }
  }

  // --- Parts ---

  #serves(s: State, i: number): boolean {
    return this.mode(s, i) === FOLLOWER || this.mode(s, i) === LEADER;
  }


  #place(s: State, j: number, k: number): Place {
    const term = this.entry(s, j, k);
    if (term === 0) return { at: this.mode(s, j) === OPEN ? 'hole' : 'nothing' };
    return this.isBad(s, j, k) ? { at: 'hole' } : { at: 'entry', term };
  }

  /** The next entry whose term node `i` knows is in the log of node `j`. */
  #proves(s: State, i: number, j: number, k: number): boolean {
    for (let n = k + 1; n < this.options.entries; n++) {
      const unknown = (((s[i * this.#node + UNKNOWN] as number) >> n) & 1) === 1;
      if (unknown) continue;
      const knownThere = (((s[j * this.#node + UNKNOWN] as number) >> n) & 1) === 0;
      return this.entry(s, i, n) !== 0 && this.entry(s, j, n) === this.entry(s, i, n) && knownThere;
    }
    return false;
  }

  #isUpToDate(s: State, i: number, j: number): boolean {
    const [a, b] = [this.length(s, i), this.length(s, j)];
    const [own, other] = [a === 0 ? 0 : this.entry(s, i, a - 1), b === 0 ? 0 : this.entry(s, j, b - 1)];
    return own > other || (own === other && a >= b);
  }

  #enter(t: State, j: number, term: number): void {
    t[j * this.#node + MODE] = FOLLOWER;
    t[j * this.#node + TERM] = term;
    this.#forget(t, j);
  }

  #forget(t: State, j: number): void {
    t[j * this.#node + BOUND] = 0;
    t[j * this.#node + HEARD] = 0;
    for (let n = 0; n < this.options.nodes; n++) this.#match(t, j, n, 0);
  }

  #match(t: State, leader: number, of: number, to: number): void {
    t[leader * this.#node + LOG + this.options.entries + of] = to;
  }

  #raise(s: State, j: number, bound: number): State {
    if (!raises(bound, { term: this.term(s, j), hasLeader: false })) return s;
    const t = s.slice();
    t[j * this.#node + TERM] = bound + 1;
    if (this.mode(s, j) === LEADER) this.#enter(t, j, bound + 1);
    return t;
  }

  #mended(t: State, i: number, from: number, to: number): void {
    const at = i * this.#node;
    for (let k = from; k < to; k++) {
      t[at + BAD] = (t[at + BAD] as number) & ~(1 << k);
      t[at + UNKNOWN] = (t[at + UNKNOWN] as number) & ~(1 << k);
    }
    t[at + HEARD] = 0;
    // What a leader has, or nobody, is the end.
    const isOpen = t[at + MODE] === OPEN && to < this.options.entries;
    if (t[at + BAD] !== 0 || isOpen) return;
    t[at + MODE] = FOLLOWER;
    t[at + BOUND] = 0;
  }

  /** Raft paper, 5.4.2: only entries of its own term are counted. */
  #commit(t: State, i: number): void {
    for (let k = this.options.entries - 1; k >= 0; k--) {
      if (this.entry(t, i, k) !== this.term(t, i)) continue;
      let have = 0;
      for (let j = 0; j < this.options.nodes; j++) if ((t[i * this.#node + LOG + this.options.entries + j] as number) > k) have++;
      if (have < this.#majority) continue;
      for (let n = 0; n <= k; n++) {
        const before = this.committed(t, n);
        if (before !== 0 && before !== this.entry(t, i, n)) throw new Violation(`entry ${n + 1} is committed twice: of term ${before} and of term ${this.entry(t, i, n)}`);
        t[this.#committed + n] = this.entry(t, i, n);
      }
      return;
    }
  }
}
