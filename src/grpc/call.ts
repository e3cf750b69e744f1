/**
 * One call, from the head of its request until nothing of it is left. It ends exactly once, in two
 * steps that come in this order:
 *
 * 1. *concluded*: its status is decided, counted in the statistics, and on its way. That is the
 *    handler's answer or error, a refusal, the deadline, or (CANCELLED) the end of the stream.
 * 2. *over*: the stream can take nothing any more. All that was counted is given back here.
 *
 * A handler may come back after both. Until then the record of the stream is held, so that a peer
 * that opens and cancels calls does not pile up handlers; then it is released, once.
 */

import { assert } from '../base/assert.js';
import { KiB } from '../base/bytes.js';
import { Http2Code } from '../http2/error-code.js';
import type { Http2Stream } from '../http2/stream.js';
import type { CallHead } from './call-head.js';
import { Code, type StatusCode } from './code.js';
import { Expiring } from './deadlines.js';
import type { ServerCall } from './method.js';
import type { Shared } from './shared.js';
import { CANCELLED, DEADLINE_EXCEEDED, type RpcStatus } from './status.js';

/** Smaller requests do not count while they are carried out: streams are bounded, too. */
const CARRIED_LEAST = 16 * KiB;

const REQUEST_LATE: RpcStatus = { code: Code.DEADLINE_EXCEEDED, details: 'grpc: the request took too long to come' };

export abstract class Call extends Expiring implements ServerCall {
  readonly shared: Shared;
  /** From `open` to `#leave`, as the head is. */
  protected stream: Http2Stream | undefined = undefined;
  protected head: CallHead | undefined = undefined;
  /** Its status is decided. */
  protected concluded = false;
  /** Something will come back to this call: its handler, or the inflating of its request. */
  protected running = false;
  caller: object | undefined = undefined;
  deadline: number | undefined = undefined;
  /** Why nobody waits any more. */
  cancelCause: RpcStatus | undefined = undefined;
  #over = false;
  #startedAt = 0;
  #watchedAt = Infinity;
  #unreadBytes = 0;
  /** Of the request, which its handler may hold until it comes back. */
  #carriedBytes = 0;
  #onCancel: (() => void)[] | undefined = undefined;

  constructor(shared: Shared) {
    super();
    this.shared = shared;
  }

  get cancelled(): boolean {
    return this.cancelCause !== undefined;
  }

  get clientCommonName(): string | undefined {
    return this.stream?.peerName;
  }

  metadata(name: string): string | undefined {
    return this.head?.metadata.get(name);
  }

  metadataBytes(name: string): Uint8Array | undefined {
    return this.head?.metadata.bytes(name);
  }

  onCancel(fn: () => void): void {
    if (this.cancelled) this.#call(fn);
    else (this.#onCancel ??= []).push(fn);
  }

  /** The head is here. `receiving`: a request that has to come whole, in time. */
  protected open(stream: Http2Stream, head: CallHead, receiving: boolean): void {
    const now = this.shared.clock.now();
    stream.app = this;
    this.stream = stream;
    this.head = head;
    this.#startedAt = now;
    if (head.timeoutMs !== undefined) this.deadline = now + head.timeoutMs;
    head.route.stats.started++;
    this.shared.calls++;
    this.#watch(now, receiving);
  }

  /** A part of the request; `ended`: the last. See RequestHandler.data. */
  abstract data(bytes: Uint8Array, from: number, to: number, ended: boolean): void;

  /** More may be sent. */
  abstract writable(): void;

  /** Sends the status: it is what is left of the response, or the whole. */
  protected abstract send(stream: Http2Stream, status: RpcStatus): void;

  /** Drops what is held of the request. */
  protected abstract dropRequest(): void;

  /** Everything that was to be given back is; a record that is used again may be now. */
  protected abstract recycle(): void;

  /** The stream is over: nothing can be sent any more. */
  over(): void {
    this.#over = true;
    this.shared.deadlines.remove(this);
    this.#watchedAt = Infinity;
    this.shared.unread.giveBack(this.#unreadBytes);
    this.#unreadBytes = 0;
    if (!this.concluded) {
      this.conclude(Code.CANCELLED);
      this.cancel(CANCELLED);
    }
    this.dropRequest();
    this.#leave();
  }

  override expired(): void {
    this.#watchedAt = Infinity;
    const stream = this.stream as Http2Stream;
    // The status would have to wait behind what the caller does not take.
    const stuck = this.concluded || stream.unsentBytes > 0;
    if (!this.concluded) {
      const late = this.deadline !== undefined && this.deadline <= this.shared.clock.now();
      const status = late ? DEADLINE_EXCEEDED : REQUEST_LATE;
      if (!stuck) {
        this.fail(status);
        return;
      }
      this.conclude(status.code);
      this.cancel(status);
    }
    stream.reset(Http2Code.CANCEL);
  }

  /** Ends the call with a status that is not its handler's: who works on it is told. */
  protected fail(status: RpcStatus): void {
    this.conclude(status.code);
    this.cancel(status);
    this.dropRequest();
    this.send(this.stream as Http2Stream, status);
  }

  /** The handler has thrown or rejected. */
  protected failed(error: unknown): void {
    const status = this.shared.errors.statusOf(error);
    if (this.cameBack()) this.refuse(status);
  }

  /** Ends a call on which nobody works any more. */
  protected refuse(status: RpcStatus): void {
    this.conclude(status.code);
    this.dropRequest();
    this.send(this.stream as Http2Stream, status);
  }

  /** What ran has ended. False: too late, the call is concluded, and nothing may be touched. */
  protected cameBack(): boolean {
    this.running = false;
    if (!this.concluded) return true;
    this.#leave();
    return false;
  }

  /** Counts a message, or a part of one, that was read. */
  protected received(bytes: number): void {
    (this.head as CallHead).route.stats.receivedBytes += bytes;
  }

  /** Counts a message that goes out. */
  sends(bytes: number): void {
    (this.head as CallHead).route.stats.sentBytes += bytes;
  }

  /** Counts how the call ended. */
  protected conclude(code: StatusCode): void {
    assert(!this.concluded, 'a call ends once');
    this.concluded = true;
    (this.head as CallHead).route.stats.end(code, this.shared.clock.now() - this.#startedAt);
  }

  /** From now on the time for receiving counts, or does not. */
  protected receiving(is: boolean): void {
    if (this.shared.limits.receiveMs > 0) this.#watch(is ? this.shared.clock.now() : 0, is);
  }

  /**
   * Counts a request that a handler gets, until the handler has come back: whoever leaves lets go
   * of nothing that is still worked on. False: there is no room.
   */
  protected carry(bytes: number): boolean {
    if (bytes < CARRIED_LEAST) return true;
    if (!this.shared.carried.take(bytes)) return false;
    this.#carriedBytes = bytes;
    return true;
  }

  /** Counts an answer that goes out, until the call is over. */
  protected countUnread(bytes: number): void {
    this.#unreadBytes = bytes;
    this.shared.unread.add(bytes);
  }

  /** Tells whoever works on the call that nobody waits. */
  protected cancel(cause: RpcStatus): void {
    this.cancelCause = cause;
    const fns = this.#onCancel;
    this.#onCancel = undefined;
    if (fns !== undefined) for (const fn of fns) this.#call(fn);
  }

  #call(fn: () => void): void {
    try {
      fn();
    } catch (error) {
      this.shared.errors.statusOf(error);
    }
  }

  #watch(now: number, receiving: boolean): void {
    const { limits, deadlines } = this.shared;
    let at = this.deadline ?? Infinity;
    if (receiving && limits.receiveMs > 0) at = Math.min(at, now + limits.receiveMs);
    if (at === this.#watchedAt) return;
    deadlines.remove(this);
    this.#watchedAt = at;
    if (at !== Infinity) deadlines.add(this, at);
  }

  #leave(): void {
    if (!this.#over || this.running) return;
    const stream = this.stream as Http2Stream;
    this.shared.carried.giveBack(this.#carriedBytes);
    this.#carriedBytes = 0;
    stream.app = undefined;
    this.stream = undefined;
    this.head = undefined;
    this.concluded = false;
    this.#over = false;
    this.deadline = undefined;
    this.caller = undefined;
    this.cancelCause = undefined;
    this.#onCancel = undefined;
    this.shared.calls--;
    this.recycle();
    stream.release();
  }
}
