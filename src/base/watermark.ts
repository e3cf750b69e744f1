/**
 * A log index that only grows, with one writer and any number of readers. Readers may look at it at
 * any time, or hear of it when it is published, in the order in which they subscribed. The writer
 * may move it many times between two publications: what it moves through in one stretch of work is
 * told once.
 */

import { AssertionError } from './assert.js';
import type { LogIndex } from './ids.js';

export class Watermark {
  readonly #what: string;
  #value: LogIndex;
  readonly #subscribers: ((value: LogIndex) => void)[] = [];

  /** `what`: for messages. */
  constructor(what: string, value: LogIndex) {
    this.#what = what;
    this.#value = value;
  }

  get value(): LogIndex {
    return this.#value;
  }

  /** Seen by who looks, not told yet. */
  move(value: LogIndex): void {
    // Once for each entry that is applied: a message is put together only if it is needed.
    if (value < this.#value) throw new AssertionError(`invariant broken: ${this.#what} only grows: ${value} after ${this.#value}`);
    this.#value = value;
  }

  /** Tells where it is. Subscribers run at once, and must not throw for the world's sake. */
  publish(): void {
    for (const subscriber of this.#subscribers) subscriber(this.#value);
  }

  advance(value: LogIndex): void {
    this.move(value);
    this.publish();
  }

  /** Another state has taken the place of what it measured: it may be anywhere. Not told. */
  reset(value: LogIndex): void {
    this.#value = value;
  }

  subscribe(subscriber: (value: LogIndex) => void): void {
    this.#subscribers.push(subscriber);
  }
}
