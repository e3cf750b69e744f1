/**
 * Responses that wait for a peer which takes nothing. They are looked at once in a while: one that
 * has not come further since the last look, because its own window is shut or because nothing at
 * all leaves the connection, is given up, and with it the memory that it holds. A peer that takes
 * its time is none of these, and what waits in a transport that is full is the transport's matter.
 *
 * Only whole responses are looked at: who writes a stream in pieces is kept waiting instead, and a
 * watch that nobody reads for an hour is no fault.
 */

import type { SendWindows } from './send-windows.js';
import type { StreamRecord } from './stream-record.js';
import type { Streams } from './streams.js';

/** Coming further is to send at least about so many bytes, or all. */
const STEP_SHIFT = 12;
const NOT_LOOKED = -1;

export class Stalled {
  readonly #streams: Streams;
  readonly #windows: SendWindows;
  readonly #everyMs: number;
  #lookedAt: number;
  #sent = 0;

  constructor(streams: Streams, windows: SendWindows, everyMs: number, now: number) {
    this.#streams = streams;
    this.#windows = windows;
    this.#everyMs = everyMs;
    this.#lookedAt = now;
  }

  /** Streams that are to be given up. `full`: the transport takes nothing in the moment. */
  look(now: number, full: boolean): readonly StreamRecord[] {
    if (now - this.#lookedAt < this.#everyMs) return [];
    this.#lookedAt = now;
    const moved = this.#windows.sent !== this.#sent;
    this.#sent = this.#windows.sent;
    if (this.#streams.unsentBytes === 0) return [];
    return this.#streams.all().filter((stream) => this.#isStalled(stream, moved, full));
  }

  #isStalled(stream: StreamRecord, moved: boolean, full: boolean): boolean {
    if (!stream.whole || stream.payload.bytes === 0) return false;
    const before = stream.looked;
    stream.looked = full ? NOT_LOOKED : (stream.payload.bytes - 1) >> STEP_SHIFT;
    if (full || before !== stream.looked) return false;
    return !moved || this.#windows.ofStream(stream) <= 0;
  }
}
