/**
 * States as a few words, without the names of the nodes, which mean nothing: six states of three
 * nodes that differ by names alone are one to look at. Nothing else is left out, so that two states
 * have the same words exactly when they are the same but for names.
 */

import { assert } from '../../../base/assert.js';
import { BAD, BOUND, HEARD, LOG, MODE, TERM, UNKNOWN, type Sizes, type State } from './state.js';

/** Of a term, of the term of an entry, of a number of entries. */
const TERM_BITS = 3;
const ENTRY_BITS = 2;
const LENGTH_BITS = 2;

export class Packing {
  readonly #sizes: Sizes;
  /** Where they are in a state: a node's bytes, what is committed, crashes left. */
  readonly #node: number;
  readonly #committed: number;
  readonly #crashes: number;
  /** By which the nodes may be named. */
  readonly #orders: readonly (readonly number[])[];
  readonly #own: number[] = [];
  readonly #candidate: Uint32Array;

  constructor(sizes: Sizes) {
    const { nodes, entries } = (this.#sizes = sizes);
    this.#node = LOG + entries + nodes;
    this.#committed = nodes * this.#node;
    this.#crashes = this.#committed + entries;
    this.#orders = permutations(Array.from({ length: nodes }, (_, i) => i));
    this.#candidate = new Uint32Array(nodes + 1);
  }

  /** One for each node and one for all of them. */
  get words(): number {
    const { nodes, entries } = this.#sizes;
    const bits = 2 + 2 * TERM_BITS + (2 + ENTRY_BITS) * entries + (1 + LENGTH_BITS) * nodes;
    assert(bits <= 32 && entries < 1 << LENGTH_BITS && this.#sizes.terms < 1 << ENTRY_BITS, `a node of ${bits} bits is packed`);
    return nodes + 1;
  }

  /**
   * The state without the names of the nodes, which mean nothing: of all ways to name them the one
   * whose words come first. Two states have the same words exactly when they are the same but for
   * names: every part has bits of its own. Returns how many states it stands for: those that differ
   * from it by names alone.
   */
  packed(s: State, into: Uint32Array): number {
    const { nodes } = this.#sizes;
    const own = this.#own;
    for (let i = 0; i < nodes; i++) own[i] = this.#ownWord(s, i);
    let same = 0;
    for (const order of this.#orders) {
      // Only orders in which the nodes' own parts fall: the others cannot come first.
      let falls = true;
      for (let n = 1; n < nodes && falls; n++) falls = (own[order[n - 1] as number] as number) >= (own[order[n] as number] as number);
      if (!falls) continue;
      this.#pack(s, order, this.#candidate);
      const compared = same === 0 ? -1 : compare(this.#candidate, into);
      if (compared === 0) same++;
      if (compared >= 0) continue;
      into.set(this.#candidate);
      same = 1;
    }
    assert(same > 0, 'some order falls');
    return this.#orders.length / same;
  }

  /** What {@link packed} was made of, but for the names of the nodes. */
  unpacked(words: Uint32Array): State {
    const { nodes, entries } = this.#sizes;
    const s = new Uint8Array(this.#crashes + 1);
    for (let n = 0; n < nodes; n++) {
      let word = words[n] as number;
      const take = (bits: number): number => {
        const value = word & ((1 << bits) - 1);
        word >>>= bits;
        return value;
      };
      const at = n * this.#node;
      for (let j = nodes - 1; j >= 0; j--) s[at + LOG + entries + j] = take(LENGTH_BITS);
      s[at + HEARD] = take(nodes);
      for (let k = entries - 1; k >= 0; k--) s[at + LOG + k] = take(ENTRY_BITS);
      s[at + UNKNOWN] = take(entries);
      s[at + BAD] = take(entries);
      s[at + BOUND] = take(TERM_BITS);
      s[at + TERM] = take(TERM_BITS);
      s[at + MODE] = take(2);
    }
    let all = words[nodes] as number;
    for (let k = entries - 1; k >= 0; k--) {
      s[this.#committed + k] = all & ((1 << ENTRY_BITS) - 1);
      all >>>= ENTRY_BITS;
    }
    s[this.#crashes] = all;
    return s;
  }

  /** What says nothing of other nodes. */
  #ownWord(s: State, i: number): number {
    const { entries } = this.#sizes;
    const at = i * this.#node;
    const [mode, term, bound] = [s[at + MODE] as number, s[at + TERM] as number, s[at + BOUND] as number];
    assert(term < 1 << TERM_BITS && bound < 1 << TERM_BITS, 'a term has bits of its own');
    let word = (((mode << TERM_BITS) | term) << TERM_BITS) | bound;
    word = (((word << entries) | (s[at + BAD] as number)) << entries) | (s[at + UNKNOWN] as number);
    for (let k = 0; k < entries; k++) word = (word << ENTRY_BITS) | (s[at + LOG + k] as number);
    return word;
  }

  #pack(s: State, order: readonly number[], into: Uint32Array): void {
    const { nodes, entries } = this.#sizes;
    for (let n = 0; n < nodes; n++) {
      const i = order[n] as number;
      const at = i * this.#node;
      let word = this.#own[i] as number;
      for (let m = 0; m < nodes; m++) word = (word << 1) | (((s[at + HEARD] as number) >> (order[nodes - 1 - m] as number)) & 1);
      for (let m = 0; m < nodes; m++) word = (word << LENGTH_BITS) | (s[at + LOG + entries + (order[m] as number)] as number);
      into[n] = word;
    }
    let all = s[this.#crashes] as number;
    for (let k = 0; k < entries; k++) all = (all << ENTRY_BITS) | (s[this.#committed + k] as number);
    into[nodes] = all;
  }
}

function permutations(of: readonly number[]): number[][] {
  if (of.length === 0) return [[]];
  return of.flatMap((first) => permutations(of.filter((one) => one !== first)).map((rest) => [first, ...rest]));
}

function compare(a: Uint32Array, b: Uint32Array): number {
  for (let n = 0; n < a.length; n++) if (a[n] !== b[n]) return (a[n] as number) - (b[n] as number);
  return 0;
}
