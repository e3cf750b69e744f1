/**
 * Events that are encoded already, as the `events` fields of a WatchResponse, one after the other:
 * what is read from history goes to the wire without an object for an event. There is room before
 * them in the same buffer, for the message's other fields: nothing is copied once more.
 */

import { assert, must } from '../../base/assert.js';
import { KiB } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import type { Revision } from '../../base/ids.js';
import type { WatchEvent, WatchResponse } from '../watch.js';
import { ProtoReader } from './proto-reader.js';
import { EVENTS_TAG, readEvent } from './watch-event.js';

/** Bytes: more than all other fields of a message with events. */
const HEAD_ROOM = 128;
const FIRST_BYTES = KiB;
/** Shorter copies are a loop: making a view costs more than they do. */
const LOOP_BYTES_MAX = 192;

/** Grows at its end and is taken from its beginning. */
export class EventBytes {
  #bytes: Buffer;
  /** What is there is [#from, #end). */
  #from = HEAD_ROOM;
  #end = HEAD_ROOM;
  #lastAt = HEAD_ROOM;

  /** With room for so many bytes at once, and a few more. */
  constructor(room = 0) {
    this.#bytes = Buffer.allocUnsafeSlow(HEAD_ROOM + room + FIRST_BYTES);
  }

  get length(): number {
    return this.#end - this.#from;
  }

  /** The event [at, end) of `bytes`. */
  add(bytes: Uint8Array, at: number, end: number): void {
    this.#lastAt = this.#end;
    this.#copy(bytes, at, end);
  }

  /** All of the other one, which has some. */
  addAll(other: EventBytes): void {
    this.#lastAt = this.#end + other.#lastAt - other.#from;
    this.#copy(other.#bytes, other.#from, other.#end);
  }

  #copy(bytes: Uint8Array, at: number, end: number): void {
    assert(end > at, 'an event has bytes');
    const start = this.#end;
    this.#end += end - at;
    if (this.#end > this.#bytes.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(2 * this.#bytes.length, this.#end));
      grown.set(this.#bytes.subarray(0, start));
      this.#bytes = grown;
    }
    const out = this.#bytes;
    if (end - at > LOOP_BYTES_MAX) out.set(bytes.subarray(at, end), start);
    else for (let i = at, to = start; i < end; i++, to++) out[to] = bytes[i] as number;
  }

  /** Leaves the last event in here, and gives those before it; undefined: there are none. */
  splitLast(): EventBytes | undefined {
    const before = this.#lastAt - this.#from;
    if (before === 0) return undefined;
    const first = new EventBytes(before);
    first.#copy(this.#bytes, this.#from, this.#lastAt);
    this.#from = this.#lastAt;
    return first;
  }

  /**
   * Takes as many of the first events as have less than `most` bytes, one at least. Once all are
   * taken nothing is added any more.
   */
  take(most: number): TakenEvents {
    const from = this.#from;
    if (this.length < most) {
      this.#from = this.#end;
      return new TakenEvents(this.#bytes, from, this.#end, from === HEAD_ROOM);
    }
    const r = new ProtoReader(this.#bytes);
    let end = from;
    do {
      r.at = end;
      r.tag(this.#end);
      const next = r.lengthEnd(this.#end);
      if (end > from && next - from >= most) break;
      end = next;
    } while (end < this.#end);
    this.#from = end;
    return new TakenEvents(this.#bytes, from, end, false);
  }
}

/** Some events that lie in a buffer. They never change. */
export class TakenEvents {
  readonly #bytes: Buffer;
  readonly #from: number;
  readonly #end: number;
  #owned: boolean;

  /** `owned`: nobody else has anything in the buffer. */
  constructor(bytes: Buffer, from: number, end: number, owned: boolean) {
    this.#bytes = bytes;
    this.#from = from;
    this.#end = end;
    this.#owned = owned;
  }

  get length(): number {
    return this.#end - this.#from;
  }

  get body(): Buffer {
    return this.#bytes.subarray(this.#from, this.#end);
  }

  /** The body behind this much room, once; undefined: copy it. */
  frame(before: number): Buffer | undefined {
    if (!this.#owned || before > this.#from) return undefined;
    this.#owned = false;
    return this.#bytes.subarray(this.#from - before, this.#end);
  }
}

/** An answer whose events are packed, and decoded for who asks for them. */
export class PackedWatchResponse implements WatchResponse {
  readonly revision: Revision;
  readonly watchId: number;
  readonly created = false;
  readonly canceled = false;
  readonly compactRevision = 0;
  readonly cancelReason = '';
  readonly fragment: boolean;
  readonly #packed: TakenEvents;
  #events: readonly WatchEvent[] | undefined;

  constructor(revision: Revision, watchId: number, fragment: boolean, packed: TakenEvents) {
    this.revision = revision;
    this.watchId = watchId;
    this.fragment = fragment;
    this.#packed = packed;
  }

  get packed(): TakenEvents {
    return this.#packed;
  }

  /** Views of the packed bytes. */
  get events(): readonly WatchEvent[] {
    return (this.#events ??= decodeEvents(this.#packed.body));
  }
}

function decodeEvents(bytes: Uint8Array): WatchEvent[] {
  const r = new ProtoReader(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length));
  const events: WatchEvent[] = [];
  while (r.at < bytes.length) {
    if (r.tag(bytes.length) !== EVENTS_TAG) throw new CodecError('a field that is no event');
    events.push(readEvent(r, r.lengthEnd(bytes.length)));
  }
  must(events[0], 'an answer that is packed has events');
  return events;
}
