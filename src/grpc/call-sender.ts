/**
 * The answers of a stream, as they go out: headers with the first of them, a status after the last.
 *
 * Who writes while enough waits to be sent is kept waiting; all that wait go on when there is room
 * again, or when the call ends, and learn of that end with their next write.
 */

import { Deferred } from '../base/deferred.js';
import type { Http2Stream } from '../http2/stream.js';
import type { Call } from './call.js';
import { Code } from './code.js';
import type { Sender } from './method.js';
import { CANCELLED, RESPONSE_HEADERS, RpcError, trailersOf, trailersOnly, type RpcStatus } from './status.js';

const OK: RpcStatus = { code: Code.OK, details: '' };
const GO_ON = Promise.resolve();

export class CallSender implements Sender {
  readonly #call: Call;
  readonly #stream: Http2Stream;
  #begun = false;
  #ended = false;
  #room: Deferred | undefined = undefined;

  constructor(call: Call, stream: Http2Stream) {
    this.#call = call;
    this.#stream = stream;
  }

  get cancelled(): boolean {
    return this.#call.cancelled;
  }

  onCancel(fn: () => void): void {
    this.#call.onCancel(fn);
  }

  write(message: Uint8Array): Promise<void> {
    const cause = this.#call.cancelCause ?? (this.#ended ? CANCELLED : undefined);
    if (cause !== undefined) return Promise.reject(new RpcError(cause.code, cause.details));
    this.#begin();
    this.#call.sends(message.length);
    if (this.#stream.data(this.#call.shared.prefix(message.length), message)) return GO_ON;
    this.#room ??= new Deferred();
    return this.#room.promise;
  }

  /** All went well. */
  end(): void {
    this.fail(OK);
  }

  /** After what was written comes this status. */
  fail(status: RpcStatus): void {
    this.#ended = true;
    if (this.#begun) this.#stream.trailers(trailersOf(status));
    else this.#stream.respondOnly(trailersOnly(status));
  }

  /** There is room, or nobody waits any more: who writes goes on. */
  goOn(): void {
    this.#room?.resolve();
    this.#room = undefined;
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#stream.headers(RESPONSE_HEADERS);
  }
}
