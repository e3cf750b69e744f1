/**
 * Where a member is between its start and its end. One state at a time, and only the moves of the
 * table below: so "may this still run?" has one answer, which every part of the member reads here.
 *
 *   - opening: its files are being read, or are open and `start` was not called yet.
 *   - regaining: its version of the tree was lost: a peer's is fetched, and peers are served blocks
 *     of tables meanwhile; then, as in opening, until `start`.
 *   - recovering: entries of its log are damaged: others are asked for them, and it answers them
 *     the same; then as before.
 *   - joining: peers can reach it; it asks what they remember of it (R5), then loads its state, for
 *     which it may still need a block, or a newer version, of a peer's.
 *   - serving: it takes part. What it has may still be closed to readers (`reads/serve-gate.ts`).
 *   - stopping: an orderly end. What was begun ends, nothing is begun.
 *   - failed: it cannot go on; whoever runs it must end the process.
 *
 * A start that is refused is none of these: `Replica.open` and `start` reject.
 */

import { assert } from '../../base/assert.js';

export type LifeState =
  | { readonly s: 'opening' }
  | { readonly s: 'regaining'; readonly why: string }
  | { readonly s: 'recovering'; readonly why: string }
  | { readonly s: 'joining' }
  | { readonly s: 'serving' }
  | { readonly s: 'stopping' }
  | { readonly s: 'failed'; readonly error: unknown };

type Stage = LifeState['s'];

const MOVES: Readonly<Record<Stage, readonly Stage[]>> = {
  opening: ['recovering', 'regaining', 'joining', 'stopping'],
  recovering: ['recovering', 'regaining', 'joining', 'stopping'],
  regaining: ['recovering', 'joining', 'stopping'],
  joining: ['serving', 'stopping', 'failed'],
  serving: ['stopping', 'failed'],
  stopping: [],
  failed: ['stopping'],
};

export class Life {
  #state: LifeState = { s: 'opening' };
  readonly #subscribers: ((state: LifeState) => void)[] = [];

  get state(): LifeState {
    return this.#state;
  }

  get serving(): boolean {
    return this.#state.s === 'serving';
  }

  /** Nothing may be begun any more. */
  get ended(): boolean {
    return this.#state.s === 'stopping' || this.#state.s === 'failed';
  }

  to(next: LifeState): void {
    const { s } = this.#state;
    assert(MOVES[s].includes(next.s), `R5 a member that is ${s} does not become ${next.s}`);
    this.#state = next;
    for (const subscriber of this.#subscribers) subscriber(next);
  }

  /** May be said more than once. */
  stop(): void {
    if (this.#state.s !== 'stopping') this.to({ s: 'stopping' });
  }

  /**
   * The member cannot go on. Only the first failure counts, and none does once the member ends
   * anyway.
   */
  fail(error: unknown): void {
    if (!this.ended) this.to({ s: 'failed', error });
  }

  /** In order of subscription, at once, after each move. */
  subscribe(subscriber: (state: LifeState) => void): void {
    this.#subscribers.push(subscriber);
  }
}
