/**
 * Every state that the model can come to, each looked at once. States that are the same but for the
 * names of the nodes are one. They are told apart by all that they are made of, not by a hash.
 */

import { assert } from '../../../base/assert.js';
import { Packing } from './packing.js';
import { Violation } from './model-options.js';
import type { RecoveryModel } from './recovery-model.js';
import { FOLLOWER, LEADER, type State } from './state.js';

export interface Explored {
  /** That were reached. */
  readonly states: number;
  /** Of which these are not the same but for the names of the nodes. */
  readonly unnamed: number;
  /** Of those, the ones in which a damaged entry has no copy left, and is waited for. */
  readonly waiting: number;
  /** What must never be; undefined: it never was. */
  readonly violation: Violation | undefined;
}

export interface Progress {
  /** Met so far but for names, and how many of them were looked at. */
  readonly unnamed: number;
  readonly looked: number;
  readonly depth: number;
}

export function* explore(model: RecoveryModel, limit = Infinity): Generator<Progress, Explored> {
  const packing = new Packing(model.options);
  const met = new Met(packing.words);
  const { states } = met;
  const packed = new Uint32Array(packing.words);
  let named = 0;
  const meet = (state: State): void => {
    const standsFor = packing.packed(state, packed);
    if (met.add(packed)) named += standsFor;
  };
  let waiting = 0;
  try {
    meet(model.initial());
    let depth = 0;
    // All up to there are so many steps deep, or less.
    let levelEnds = 1;
    for (let n = 0; n < states.count && states.count < limit; n++) {
      if (n === levelEnds) {
        depth++;
        levelEnds = states.count;
      }
      const state = packing.unpacked(states.at(n));
      if (waits(model, state)) waiting++;
      for (const after of model.next(state)) meet(after);
      if (n % 50_000 === 49_999) yield { unnamed: states.count, looked: n + 1, depth };
    }
    return { states: named, unnamed: states.count, waiting, violation: undefined };
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { states: named, unnamed: states.count, waiting, violation: error };
  }
}

/**
 * With all nodes up and nothing more going wrong, what is damaged is mended, unless no node has a
 * copy of an entry. True: that is so, and it is waited for. Throws Violation.
 */
function waits(model: RecoveryModel, from: State): boolean {
  const all = Array.from({ length: model.options.nodes }, (_, i) => i);
  if (model.crashesLeft(from) > 0 || !all.some((i) => model.recovers(from, i))) return false;
  let s = from;
  for (let round = 0; round < 2 * model.options.entries + 2; round++) {
    s = askAll(model, s, all);
    if (all.every((i) => !model.recovers(s, i))) return false;
    s = lead(model, s, all);
  }
  for (const i of all) {
    if (!model.recovers(s, i)) continue;
    const holes = holesOf(model, s, i);
    assert(holes.length > 0, 'a node recovers because something is missing');
    if (!holes.some((k) => model.isBad(s, i, k))) {
      if (model.canLead(s)) throw new Violation(`node ${i} waits to hear where its log ends, and the others can lead`);
      continue;
    }
    if (!holes.some((k) => model.isLost(s, i, k))) throw new Violation(`node ${i} waits for ${holes.map((k) => k + 1).join(', ')}, of which there are copies`);
  }
  return true;
}

function askAll(model: RecoveryModel, from: State, all: readonly number[]): State {
  let s = from;
  // Twice: the first question may be worth a term.
  for (const _ of [0, 1]) {
    for (const i of all) {
      for (const k of holesOf(model, s, i)) {
        for (const j of all) {
          const isMissing = model.recovers(s, i) && (model.isBad(s, i, k) || model.firstHole(s, i) === k);
          if (j !== i && isMissing) s = model.ask(s, i, j, k);
        }
      }
    }
  }
  return s;
}

/** Those that can elect a leader do, and it brings all of them to its log. */
function lead(model: RecoveryModel, from: State, all: readonly number[]): State {
  const serving = all.filter((i) => model.mode(from, i) === FOLLOWER || model.mode(from, i) === LEADER);
  if (2 * serving.length <= all.length) return from;
  for (const i of serving) {
    let s = model.elect(from, i, serving.filter((j) => j !== i));
    if (s === undefined) continue;
    for (const j of serving) if (j !== i) s = model.replicate(s, i, j, model.length(s, i));
    return s;
  }
  return from;
}

function holesOf(model: RecoveryModel, s: State, i: number): number[] {
  const holes: number[] = [];
  if (!model.recovers(s, i)) return holes;
  for (let k = 0; k < model.options.entries; k++) if (model.isBad(s, i, k) || model.firstHole(s, i) === k) holes.push(k);
  return holes;
}

/** Packed states of one size, one behind the other. */
class States {
  readonly words: number;
  count = 0;
  #all: Uint32Array;

  constructor(words: number) {
    this.words = words;
    this.#all = new Uint32Array(words * 1024);
  }

  /** A view, valid until the next push. */
  at(n: number): Uint32Array {
    return this.#all.subarray(n * this.words, (n + 1) * this.words);
  }

  push(state: Uint32Array): void {
    const at = this.count++ * this.words;
    if (at + this.words > this.#all.length) {
      const grown = new Uint32Array(this.#all.length * 2);
      grown.set(this.#all);
      this.#all = grown;
    }
    this.#all.set(state, at);
  }

  equals(n: number, state: Uint32Array): boolean {
    const at = n * this.words;
    for (let i = 0; i < this.words; i++) if (this.#all[at + i] !== state[i]) return false;
    return true;
  }
}

/** All states that were met, in the order in which they were: no two are the same. */
class Met {
  readonly states: States;
  /** Open addressing; of a state its number from 1 on. */
  #table = new Uint32Array(1 << 16);

  constructor(words: number) {
    this.states = new States(words);
  }

  /** False: it was there before. */
  add(state: Uint32Array): boolean {
    const mask = this.#table.length - 1;
    for (let at = hashOf(state) & mask; ; at = (at + 1) & mask) {
      const number = this.#table[at] as number;
      if (number === 0) {
        this.states.push(state);
        this.#table[at] = this.states.count;
        if (this.states.count * 2 > this.#table.length) this.#grow();
        return true;
      }
      if (this.states.equals(number - 1, state)) return false;
    }
  }

  #grow(): void {
    const table = new Uint32Array(this.#table.length * 2);
    const mask = table.length - 1;
    for (let n = 0; n < this.states.count; n++) {
      let at = hashOf(this.states.at(n)) & mask;
      while (table[at] !== 0) at = (at + 1) & mask;
      table[at] = n + 1;
    }
    this.#table = table;
  }
}

function hashOf(state: Uint32Array): number {
  let hash = 0x9e3779b9;
  for (const word of state) {
    hash = Math.imul(hash ^ word, 0x85ebca6b);
    hash ^= hash >>> 15;
  }
  hash = Math.imul(hash, 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
