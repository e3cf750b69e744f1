/**
 * The requests of a stream, for a handler that takes one after the other.
 *
 * What the caller sends waits as it came, and is read into messages only while the handler asks for
 * one. The window is given back for what was read and for nothing else; so a slow handler slows its
 * caller, what waits never exceeds the window, and a message that is larger than the window comes
 * through, because it is read while the handler waits for it. What waits for all handlers of the
 * process is bounded as unfinished requests are: beyond that the call is refused.
 *
 * The iteration ends when the caller has said all and the handler has taken all; it throws if the
 * call ends before. It can be iterated once.
 */

import { assert } from '../base/assert.js';
import { Deferred } from '../base/deferred.js';
import type { Http2Stream } from '../http2/stream.js';
import { ByteQueue } from './byte-queue.js';
import { Code } from './code.js';
import type { Encoding } from './hooks.js';
import { inflated } from './inflating.js';
import { MessageReader, NO_ROOM } from './message-reader.js';
import type { Shared } from './shared.js';
import { RpcError, type RpcStatus } from './status.js';

type Next = IteratorResult<Uint8Array, undefined>;

const END: Next = { value: undefined, done: true };
const CUT: RpcStatus = { code: Code.INTERNAL, details: 'unexpected EOF' };

/** The call, as its requests see it. */
export interface RequestOwner {
  /** The handler waits for a message of which a part is here; or does not any more. */
  awaitingPart(is: boolean): void;
  /** The requests cannot be read: this ends the call. */
  unreadable(status: RpcStatus): void;
}

export class RequestQueue implements AsyncIterableIterator<Uint8Array, undefined> {
  readonly #owner: RequestOwner;
  readonly #shared: Shared;
  readonly #stream: Http2Stream;
  readonly #encoding: Encoding | undefined;
  readonly #reader: MessageReader;
  readonly #waiting = new ByteQueue();
  /** Who asked for the next message. */
  #asked: Deferred<Next> | undefined = undefined;
  #inflating = false;
  #awaitsPart = false;
  /** The caller has said all. */
  #ended = false;
  /** The handler wants no more. */
  #closed = false;
  #error: RpcError | undefined = undefined;

  constructor(owner: RequestOwner, shared: Shared, stream: Http2Stream, encoding: Encoding | undefined) {
    this.#owner = owner;
    this.#shared = shared;
    this.#stream = stream;
    this.#encoding = encoding;
    this.#reader = new MessageReader(shared.limits.maxReceiveBytes, shared.memory, shared.unfinished);
  }

  /** Bytes that have come and were not read. */
  get waitingBytes(): number {
    return this.#waiting.length;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** Rejects with an RpcError. One at a time. */
  next(): Promise<Next> {
    assert(this.#asked === undefined, 'requests are asked for one at a time');
    if (this.#error !== undefined) return Promise.reject(this.#error);
    if (this.#closed) return Promise.resolve(END);
    const asked = new Deferred<Next>();
    this.#asked = asked;
    this.#read();
    return asked.promise;
  }

  /** The handler breaks off the iteration: what still comes is thrown away. */
  return(): Promise<Next> {
    this.drop();
    return Promise.resolve(END);
  }

  /** A part of the request; see RequestHandler.data. */
  push(bytes: Uint8Array, from: number, to: number, ended: boolean): void {
    this.#ended ||= ended;
    if (this.#closed) {
      if (to > from) this.#stream.consumed(to - from);
      return;
    }
    if (to > from) {
      if (!this.#shared.unfinished.take(to - from)) {
        this.#stream.consumed(to - from);
        this.#owner.unreadable(NO_ROOM);
        return;
      }
      this.#waiting.append(bytes, from, to);
    }
    if (this.#asked !== undefined && !this.#inflating) this.#read();
  }

  /** The call has ended: who iterates gets this error. */
  fail(status: RpcStatus): void {
    const error = new RpcError(status.code, status.details);
    this.#error = error;
    this.drop();
    const asked = this.#asked;
    this.#asked = undefined;
    // A handler may have stopped waiting for it: then nobody need hear.
    asked?.promise.catch(() => undefined);
    asked?.reject(error);
  }

  /** Nothing is wanted any more; what was held is given back. */
  drop(): void {
    if (this.#closed) return;
    this.#closed = true;
    const { length } = this.#waiting;
    this.#waiting.skip(this.#waiting.to);
    this.#shared.unfinished.giveBack(length);
    this.#reader.reset();
    this.#awaits(false);
    if (length > 0) this.#stream.consumed(length);
  }

  /** For a handler that asks: one message, if it is here. */
  #read(): void {
    const reader = this.#reader;
    const waiting = this.#waiting;
    if (waiting.length > 0) {
      const { from } = waiting;
      const at = reader.read(waiting.bytes, from, waiting.to);
      waiting.skip(at);
      this.#shared.unfinished.giveBack(at - from);
      this.#stream.consumed(at - from);
      if (reader.fault !== undefined) {
        this.#owner.unreadable(reader.fault);
        return;
      }
      if (reader.message !== undefined) {
        this.#awaits(false);
        this.#take(reader.message, reader.compressed);
        return;
      }
    }
    if (!this.#ended) this.#awaits(reader.unfinished);
    else if (reader.unfinished) this.#owner.unreadable(CUT);
    else this.#answer(END);
  }

  #take(message: Uint8Array, compressed: boolean): void {
    if (compressed) void this.#inflate(message);
    else this.#answer({ value: message, done: false });
  }

  async #inflate(message: Uint8Array): Promise<void> {
    this.#inflating = true;
    const result = await inflated(this.#shared, this.#encoding, message);
    this.#inflating = false;
    // Meanwhile the call may have ended, and be gone.
    if (this.#closed) return;
    if (result instanceof Uint8Array) this.#answer({ value: result, done: false });
    else this.#owner.unreadable(result);
  }

  #answer(next: Next): void {
    const asked = this.#asked;
    this.#asked = undefined;
    asked?.resolve(next);
  }

  #awaits(part: boolean): void {
    if (this.#awaitsPart === part) return;
    this.#awaitsPart = part;
    this.#owner.awaitingPart(part);
  }
}
