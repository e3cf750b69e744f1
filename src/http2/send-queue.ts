/**
 * Streams that have something to send and may. Two rings: `urgent` for those whose next frame needs
 * no window (headers, trailers), and `data` for those with payload and a window of their own, which
 * take turns, a frame each. A stream with payload and no window is in neither: it comes back when
 * its window grows, so nobody looks at the blocked ones.
 */

import { assert } from '../base/assert.js';
import type { StreamRecord } from './stream-record.js';

/** A doubly linked list through the records themselves. */
export class Ring {
  #first: StreamRecord | undefined = undefined;
  #last: StreamRecord | undefined = undefined;

  push(stream: StreamRecord): void {
    assert(stream.ring === undefined, 'a stream has one place in the queue');
    stream.ring = this;
    stream.previous = this.#last;
    if (this.#last === undefined) this.#first = stream;
    else this.#last.next = stream;
    this.#last = stream;
  }

  shift(): StreamRecord | undefined {
    const first = this.#first;
    if (first !== undefined) this.remove(first);
    return first;
  }

  remove(stream: StreamRecord): void {
    const { previous, next } = stream;
    if (previous === undefined) this.#first = next;
    else previous.next = next;
    if (next === undefined) this.#last = previous;
    else next.previous = previous;
    stream.previous = stream.next = stream.ring = undefined;
  }
}

export class SendQueue {
  readonly urgent = new Ring();
  readonly data = new Ring();

  /** Whose turn it is. `mayData`: the connection's window is open. */
  next(mayData: boolean): StreamRecord | undefined {
    return this.urgent.shift() ?? (mayData ? this.data.shift() : undefined);
  }
}
