/**
 * One request, one response. The record is used again for another call, but not before its handler
 * has come back and its stream is over; so neither of them ever meets another call in it.
 *
 * A handler that answers at once is answered at once, within the same `receive` of the connection.
 */

import type { Http2Stream } from '../http2/stream.js';
import type { CallHead } from './call-head.js';
import { Code } from './code.js';
import type { UnaryMethod } from './method.js';
import type { Shared } from './shared.js';
import { SingleRequestCall } from './single-request-call.js';
import { OK_TRAILERS, RESPONSE_HEADERS, trailersOnly, type RpcStatus } from './status.js';

/** Records that are kept; above it they are left to the garbage collector. */
const MAX_SPARE = 4096;

/** Records of unary calls that wait for their next. */
export class UnaryCalls {
  readonly #shared: Shared;
  readonly #spare: UnaryCall[] = [];

  constructor(shared: Shared) {
    this.#shared = shared;
  }

  take(): UnaryCall {
    return this.#spare.pop() ?? new UnaryCall(this.#shared, this);
  }

  giveBack(call: UnaryCall): void {
    if (this.#spare.length < MAX_SPARE) this.#spare.push(call);
  }
}

export class UnaryCall extends SingleRequestCall {
  readonly #calls: UnaryCalls;
  // Made once for a record, not once for a call.
  readonly #onAnswer = (answer: Uint8Array): void => this.#answered(answer);
  readonly #onError = (error: unknown): void => this.failed(error);

  constructor(shared: Shared, calls: UnaryCalls) {
    super(shared);
    this.#calls = calls;
  }

  override writable(): void {}

  protected override handle(request: Uint8Array): void {
    this.running = true;
    let answer: Uint8Array | Promise<Uint8Array>;
    try {
      answer = this.#method.handle(request, this);
    } catch (error) {
      this.failed(error);
      return;
    }
    if (answer instanceof Uint8Array) this.#answered(answer);
    else void answer.then(this.#onAnswer, this.#onError);
  }

  protected override send(stream: Http2Stream, status: RpcStatus): void {
    stream.respondOnly(trailersOnly(status));
  }

  protected override recycle(): void {
    this.#calls.giveBack(this);
  }

  get #method(): UnaryMethod {
    return (this.head as CallHead).route.method as UnaryMethod;
  }

  #answered(answer: Uint8Array): void {
    if (!this.cameBack()) return;
    const { shared } = this;
    const stream = this.stream as Http2Stream;
    if (this.#method.refusable && !shared.unread.admits(answer.length, stream.unsentOfConnection)) {
      this.refuse(shared.guard.crowded);
      return;
    }
    this.conclude(Code.OK);
    this.countUnread(answer.length);
    this.sends(answer.length);
    // Nothing after this: the call may be over, and the record another's.
    stream.respond(RESPONSE_HEADERS, shared.prefix(answer.length), answer, OK_TRAILERS);
  }
}
