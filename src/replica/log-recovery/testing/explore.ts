/**
 * Every state that the model can come to, each looked at once. States are told apart by 64 bits of
 * a hash; at ten million states the chance that two of them share one is one in four hundred
 * thousand.
 */

import { assert } from '../../../base/assert.js';
import { FOLLOWER, LEADER, RECOVERING, Violation, type RecoveryModel, type State } from './recovery-model.js';

export interface Explored {
  readonly states: number;
  /** States in which a damaged entry has no copy left, and is waited for. */
  readonly waiting: number;
  /** What must never be; undefined: it never was. */
  readonly violation: Violation | undefined;
}

export interface Progress {
  readonly states: number;
  readonly depth: number;
}

export function* explore(model: RecoveryModel, limit = Infinity): Generator<Progress, Explored> {
  const seen = new Seen();
  let level = new Packed(model.initial().length);
  level.push(model.initial());
  seen.add(model.initial());
  let waiting = 0;
  try {
    for (let depth = 0; level.count > 0; depth++) {
      const next = new Packed(level.width);
      for (let n = 0; n < level.count && seen.count < limit; n++) {
        const state = level.at(n);
        if (waits(model, state)) waiting++;
        for (const after of model.next(state)) if (seen.add(after)) next.push(after);
        if (n % 50_000 === 49_999) yield { states: seen.count, depth };
      }
      level = next;
      yield { states: seen.count, depth };
    }
    return { states: seen.count, waiting, violation: undefined };
  } catch (error) {
    if (!(error instanceof Violation)) throw error;
    return { states: seen.count, waiting, violation: error };
  }
}

/**
 * With all nodes up and nothing more going wrong, what is damaged is mended, unless no node has a
 * copy of an entry. True: that is so, and it is waited for. Throws Violation.
 */
function waits(model: RecoveryModel, from: State): boolean {
  const all = Array.from({ length: model.options.nodes }, (_, i) => i);
  if (model.crashesLeft(from) > 0 || !all.some((i) => model.mode(from, i) === RECOVERING)) return false;
  let s = from;
  for (let round = 0; round < 2 * model.options.entries + 2; round++) {
    s = askAll(model, s, all);
    if (all.every((i) => model.mode(s, i) !== RECOVERING)) return false;
    s = lead(model, s, all);
  }
  for (const i of all) {
    if (model.mode(s, i) !== RECOVERING) continue;
    const holes = holesOf(model, s, i);
    assert(holes.length > 0, 'a node recovers because something is missing');
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
        for (const j of all) if (j !== i && model.mode(s, i) === RECOVERING && model.isBad(s, i, k)) s = model.ask(s, i, j, k);
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
  for (let k = 0; k < model.options.entries; k++) if (model.mode(s, i) === RECOVERING && model.isBad(s, i, k)) holes.push(k);
  return holes;
}

/** States of one length, one behind the other. */
class Packed {
  readonly width: number;
  count = 0;
  #bytes: Uint8Array;

  constructor(width: number) {
    this.width = width;
    this.#bytes = new Uint8Array(width * 1024);
  }

  at(n: number): State {
    return this.#bytes.slice(n * this.width, (n + 1) * this.width);
  }

  push(state: State): void {
    const at = this.count++ * this.width;
    if (at + this.width > this.#bytes.length) {
      const grown = new Uint8Array(this.#bytes.length * 2);
      grown.set(this.#bytes);
      this.#bytes = grown;
    }
    this.#bytes.set(state, at);
  }
}

/** Open addressing over two halves of a hash. */
class Seen {
  count = 0;
  #low = new Uint32Array(1 << 16);
  #high = new Uint32Array(1 << 16);

  /** False: it was there before. */
  add(state: State): boolean {
    let [a, b] = [0x811c9dc5, 0x9e3779b9];
    for (const byte of state) {
      a = Math.imul(a ^ byte, 0x01000193);
      b = Math.imul(b ^ (byte + 0x7f), 0x85ebca6b);
      b = (b << 13) | (b >>> 19);
    }
    a ^= a >>> 15;
    // Both halves zero means that a place is free.
    if (!this.#put(a >>> 0, (b | 1) >>> 0)) return false;
    if (++this.count * 2 > this.#low.length) this.#grow();
    return true;
  }

  #put(low: number, high: number): boolean {
    const mask = this.#low.length - 1;
    for (let at = (low ^ (high >>> 7)) & mask; ; at = (at + 1) & mask) {
      if (this.#high[at] === 0) {
        this.#low[at] = low;
        this.#high[at] = high;
        return true;
      }
      if (this.#low[at] === low && this.#high[at] === high) return false;
    }
  }

  #grow(): void {
    const [low, high] = [this.#low, this.#high];
    this.#low = new Uint32Array(low.length * 2);
    this.#high = new Uint32Array(low.length * 2);
    for (let i = 0; i < low.length; i++) if (high[i] !== 0) this.#put(low[i] as number, high[i] as number);
  }
}
