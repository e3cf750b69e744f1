/**
 * What one stream has yet to send: answers in their order, and for each watcher its events in
 * theirs. The consumer takes one message after the other. A revision goes into one message of a
 * watcher, whole, however large, unless the watcher takes fragments; several that wait may share
 * one. What may wait is bounded: beyond, the stream is full, and its watchers read later, from the
 * tree, what they have missed.
 */

import { assert } from '../../base/assert.js';
import { KiB, MiB } from '../../base/bytes.js';
import { Deferred } from '../../base/deferred.js';
import type { Revision } from '../../base/ids.js';
import { Fifo } from '../../base/fifo.js';
import type { Caller } from '../../api/caller.js';
import type { Admission } from '../auth/access.js';
import type { WatchSession } from '../../api/services/watch.js';
import type { WatchRequest, WatchResponse } from '../../api/watch.js';
import { EventBytes, PackedWatchResponse } from '../../api/wire/packed-events.js';
import type { SharedEvent } from '../../api/wire/watch-event.js';
import type { Sleeper } from './wakes.js';
import type { Watcher, WatcherStream } from './watcher.js';

/** A watcher that takes fragments gets messages of no more than this, or of one event. */
const FRAGMENT_BYTES = 2 * MiB;
/** Events of later revisions join a message that waits up to here. */
const MERGE_BYTES = 256 * KiB;
/** As much of what is read from history: it takes its client no longer to hear of it. */
const PACKED_BYTES = 64 * KiB;
/** Requests are not taken while so many answers wait. */
const ANSWERS_MAX = 1_024;

/**
 * Events of a watcher: whole revisions, but for `open`: more of the last one is to come. They are
 * objects that all watchers of a revision share or, if `packed`, bytes that were read from history.
 */
interface Batch {
  readonly watcher: Watcher;
  readonly events: SharedEvent[];
  readonly packed: EventBytes | undefined;
  bytes: number;
  revision: Revision;
  readonly open: boolean;
  /** What waits before an answer is not added to once the answer waits. */
  readonly epoch: number;
}

interface Answer {
  readonly answer: WatchResponse;
}

/** Of the revision at hand, until it is whole. */
interface Partial {
  readonly revision: Revision;
  events: SharedEvent[];
  packed: EventBytes | undefined;
  bytes: number;
}

/** What a stream tells of itself, and asks. */
export interface StreamOwner {
  handle(stream: WatchStream, request: WatchRequest): Promise<void>;
  closed(stream: WatchStream): void;
  /** Events wait in it: it is to be woken. */
  due(stream: WatchStream): void;
  /** So many bytes more, or less, wait in it. */
  counted(stream: WatchStream, bytes: number): void;
  /** Up to where a watcher has all: for a header. 0: only what was sent. */
  toldTo(watcher: Watcher): Revision;
}

export class WatchStream implements WatchSession, WatcherStream, Sleeper {
  readonly requireLeader: boolean;
  readonly caller: Caller | undefined;
  /** As whom the caller was let in last. */
  admission: Admission | undefined;
  readonly watchers = new Map<number, Watcher>();
  readonly #hub: StreamOwner;
  readonly #queue = new Fifo<Batch | Answer>();
  /** The last batch of a watcher that waits. */
  readonly #last = new Map<Watcher, Batch>();
  readonly #partial = new Map<Watcher, Partial>();
  #epoch = 0;
  /** Of events in #queue, and of those in #partial. */
  #queued = 0;
  #held = 0;
  /** Of messages of history, the largest of late: the next one is likely to fit in as much. */
  #packedBytes = KiB;
  #nextId = 0;
  #closed = false;
  #error: Error | undefined;
  #wake: Deferred | undefined;
  #room: Deferred | undefined;
  /** A request for progress waits until all watchers are told all. */
  progressWanted = false;
  /** It was full: its watchers wait until half of that is sent. */
  blocked = false;

  constructor(hub: StreamOwner, requireLeader: boolean, caller: Caller | undefined) {
    this.#hub = hub;
    this.requireLeader = requireLeader;
    this.caller = caller;
  }

  /** Bytes of events that wait to be taken. */
  get queued(): number {
    return this.#queued;
  }

  get closed(): boolean {
    return this.#closed;
  }

  async handle(request: WatchRequest): Promise<void> {
    await this.#hub.handle(this, request);
    while (this.#queue.length > ANSWERS_MAX && !this.#closed) await (this.#room ??= new Deferred()).promise;
  }

  async next(): Promise<WatchResponse | undefined> {
    for (;;) {
      const taken = this.take();
      if (taken !== undefined || this.#closed) return taken;
      await (this.#wake ??= new Deferred()).promise;
    }
  }

  take(): WatchResponse | undefined {
    if (this.#error !== undefined) throw this.#error;
    return this.#closed ? undefined : this.#take();
  }

  close(): void {
    this.end(undefined);
  }

  /** With an error: the consumer is told. */
  end(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#error = error;
    this.#hub.closed(this);
    this.#queue.clear();
    this.#last.clear();
    this.#partial.clear();
    this.#count(-this.#queued, -this.#held);
    this.#awake();
  }

  /** An id that no watcher of the stream has. */
  freeId(): number {
    while (this.watchers.has(this.#nextId)) this.#nextId++;
    return this.#nextId++;
  }

  answer(answer: WatchResponse): void {
    this.#queue.push({ answer });
    this.#epoch++;
    this.#awake();
  }

  /** One event more of `revision`, which {@link complete} ends. */
  add(watcher: Watcher, revision: Revision, event: SharedEvent): void {
    const partial = this.#partialOf(watcher, revision);
    const bytes = event.encoded.length;
    // The revision was begun from history, and goes on from memory.
    if (partial.packed !== undefined) partial.packed.add(event.encoded, 0, bytes);
    else partial.events.push(event);
    partial.bytes += bytes;
    this.#count(0, bytes);
  }

  /** As {@link add}, of the event that is [at, end) of `bytes`. */
  addPacked(watcher: Watcher, revision: Revision, bytes: Uint8Array, at: number, end: number): void {
    const partial = this.#partialOf(watcher, revision);
    partial.packed ??= packedOf(partial.events.splice(0));
    partial.packed.add(bytes, at, end);
    partial.bytes += end - at;
    this.#count(0, end - at);
  }

  #partialOf(watcher: Watcher, revision: Revision): Partial {
    const there = this.#partial.get(watcher);
    if (there?.revision === revision) return there;
    assert(there === undefined, 'W1 a revision is queued whole before the next begins');
    const partial = { revision, events: [], packed: undefined, bytes: 0 };
    this.#partial.set(watcher, partial);
    return partial;
  }

  /** The one event of `revision`. */
  put(watcher: Watcher, revision: Revision, event: SharedEvent): void {
    assert(!this.#partial.has(watcher), 'W1 a revision is queued whole before the next begins');
    const bytes = event.encoded.length;
    this.#count(0, bytes);
    this.#push(watcher, { revision, events: [event], packed: undefined, bytes }, false);
  }

  /** As {@link put}, of the event that is [at, end) of `bytes`: nothing is made for it. */
  putPacked(watcher: Watcher, revision: Revision, bytes: Uint8Array, at: number, end: number): void {
    assert(!this.#partial.has(watcher), 'W1 a revision is queued whole before the next begins');
    watcher.quiet = false;
    this.#count(end - at, 0);
    const last = this.#last.get(watcher);
    if (last !== undefined && this.#joins(last, revision, end - at, true)) {
      (last.packed as EventBytes).add(bytes, at, end);
      last.bytes += end - at;
      last.revision = revision;
    } else {
      const packed = new EventBytes(Math.min(PACKED_BYTES, this.#packedBytes));
      packed.add(bytes, at, end);
      this.#enqueue({ watcher, events: [], packed, bytes: end - at, revision, open: false, epoch: this.#epoch });
    }
    this.#hub.due(this);
  }

  /** Bytes of the revision that is not whole yet. */
  partialBytes(watcher: Watcher): number {
    return this.#partial.get(watcher)?.bytes ?? 0;
  }

  /** All up to `revision` is there: if one was begun, and is not later, it is whole. */
  complete(watcher: Watcher, revision: Revision): void {
    const partial = this.#partial.get(watcher);
    if (partial === undefined || partial.revision > revision) return;
    this.#partial.delete(watcher);
    this.#push(watcher, partial, false);
  }

  /**
   * More of the revision that was begun comes later: what is there may be sent as fragments, but
   * for the last event, so that something is left to end the message with.
   */
  flushFragments(watcher: Watcher): void {
    const partial = this.#partial.get(watcher);
    if (partial === undefined) return;
    assert(watcher.fragment, 'W1 only who asked for it gets a revision in pieces');
    if (partial.packed !== undefined) {
      const packed = partial.packed.splitLast();
      if (packed === undefined) return;
      this.#push(watcher, { ...partial, packed, bytes: packed.length }, true);
      partial.bytes = partial.packed.length;
      return;
    }
    if (partial.events.length < 2) return;
    const last = partial.events.pop() as SharedEvent;
    const held = last.encoded.length;
    this.#push(watcher, { ...partial, bytes: partial.bytes - held }, true);
    partial.events = [last];
    partial.bytes = held;
  }

  #push(watcher: Watcher, { revision, events, packed, bytes }: Partial, open: boolean): void {
    watcher.quiet = false;
    this.#count(bytes, -bytes);
    const last = this.#last.get(watcher);
    if (last !== undefined && this.#joins(last, revision, bytes, packed !== undefined) && !open) {
      if (packed !== undefined) last.packed?.addAll(packed);
      for (const event of events) last.events.push(event);
      last.bytes += bytes;
      last.revision = revision;
    } else {
      this.#enqueue({ watcher, events, packed, bytes, revision, open, epoch: this.#epoch });
    }
    this.#hub.due(this);
  }

  /** May so many bytes of events of a whole revision be sent in one message with the last ones? */
  #joins(last: Batch, revision: Revision, bytes: number, packed: boolean): boolean {
    assert(revision >= last.revision, 'W1 revisions of a watcher never go back');
    const alike = (last.packed !== undefined) === packed;
    return alike && last.epoch === this.#epoch && !last.open && last.bytes + bytes <= (packed ? PACKED_BYTES : MERGE_BYTES);
  }

  #enqueue(batch: Batch): void {
    this.#queue.push(batch);
    this.#last.set(batch.watcher, batch);
  }

  /** The watcher has ended: what is not whole of it will not be. */
  forget(watcher: Watcher): void {
    this.watchers.delete(watcher.id);
    const partial = this.#partial.get(watcher);
    if (partial !== undefined) this.#count(0, -partial.bytes);
    this.#partial.delete(watcher);
    this.#last.delete(watcher);
  }

  #take(): WatchResponse | undefined {
    const { first } = this.#queue;
    if (first === undefined) return undefined;
    if ('watcher' in first) return this.#message(first);
    this.#shift();
    return first.answer;
  }

  #message(batch: Batch): WatchResponse {
    const { watcher } = batch;
    const packed = batch.packed?.take(watcher.fragment ? FRAGMENT_BYTES : Infinity);
    const { events, bytes } = watcher.fragment && packed === undefined ? cut(batch) : batch;
    const taken = packed?.length ?? bytes;
    if (packed !== undefined) this.#packedBytes = Math.max(taken, this.#packedBytes - (this.#packedBytes >> 2));
    batch.bytes -= taken;
    const more = batch.bytes > 0;
    if (!more) {
      this.#shift();
      if (this.#last.get(watcher) === batch) this.#last.delete(watcher);
    }
    this.#count(-taken, 0);
    const fragment = more || batch.open;
    const told = fragment || this.#last.has(watcher) || this.#partial.has(watcher) ? 0 : this.#hub.toldTo(watcher);
    const revision = Math.max(batch.revision, told);
    if (packed !== undefined) return new PackedWatchResponse(revision, watcher.id, fragment, packed);
    return { revision, watchId: watcher.id, created: false, canceled: false, compactRevision: 0, cancelReason: '', fragment, events };
  }

  #shift(): void {
    this.#queue.shift();
    if (this.#queue.length > ANSWERS_MAX) return;
    const room = this.#room;
    this.#room = undefined;
    room?.resolve();
  }

  #count(queued: number, held: number): void {
    this.#queued += queued;
    this.#held += held;
    assert(this.#queued >= 0 && this.#held >= 0, 'W1 what is sent was waiting');
    this.#hub.counted(this, queued + held);
  }

  /** Whoever waits for the next answer looks again. */
  wake(): void {
    const wake = this.#wake;
    this.#wake = undefined;
    wake?.resolve();
  }

  #awake(): void {
    this.wake();
    if (!this.#closed) return;
    const room = this.#room;
    this.#room = undefined;
    room?.resolve();
  }
}

/** What was queued of a revision that goes on from history. */
function packedOf(events: readonly SharedEvent[]): EventBytes {
  const packed = new EventBytes();
  for (const { encoded } of events) packed.add(encoded, 0, encoded.length);
  return packed;
}

/** Takes as many of the first events as fit into a message, one at least. */
function cut(batch: Batch): { readonly events: SharedEvent[]; readonly bytes: number } {
  let bytes = (batch.events[0] as SharedEvent).encoded.length;
  let n = 1;
  for (; n < batch.events.length; n++) {
    const more = (batch.events[n] as SharedEvent).encoded.length;
    if (bytes + more >= FRAGMENT_BYTES) break;
    bytes += more;
  }
  return { events: batch.events.splice(0, n), bytes };
}
