/**
 * A call whose request is one message. It is carried out when the request has ended: a request that
 * is cut, empty or has a second message never reaches a handler. A message that waits for that end
 * counts among the unfinished.
 */

import type { Http2Stream } from '../http2/stream.js';
import { Call } from './call.js';
import type { CallHead } from './call-head.js';
import { Code } from './code.js';
import { inflated } from './inflating.js';
import { MessageReader, NO_ROOM } from './message-reader.js';
import type { Shared } from './shared.js';
import type { RpcStatus } from './status.js';

const internal = (details: string): RpcStatus => ({ code: Code.INTERNAL, details });
const CUT = internal('unexpected EOF');
const NONE = internal('cardinality violation: received no request message from non-client-streaming RPC');
const SECOND = internal('cardinality violation: received multiple request messages for non-client-streaming RPC');

export abstract class SingleRequestCall extends Call {
  readonly #reader: MessageReader;
  #message: Uint8Array | undefined = undefined;
  #compressed = false;
  /** Bytes counted for a message that waits for the end of its request. */
  #waitingBytes = 0;

  constructor(shared: Shared) {
    super(shared);
    this.#reader = new MessageReader(shared.limits.maxReceiveBytes, shared.memory, shared.unfinished);
  }

  /** `ended`: nothing follows the head. */
  begin(stream: Http2Stream, head: CallHead, ended: boolean): void {
    this.open(stream, head, !ended);
    if (ended) this.refuse(NONE);
  }

  /** Carries the call out. */
  protected abstract handle(request: Uint8Array): void;

  override data(bytes: Uint8Array, from: number, to: number, ended: boolean): void {
    // Nothing waits for a handler to take it: what has come is in memory that is bounded otherwise.
    if (to > from) (this.stream as Http2Stream).consumed(to - from);
    if (this.concluded) return;
    const fault = this.#read(bytes, from, to) ?? (ended ? this.#endFault() : undefined);
    if (fault !== undefined) this.refuse(fault);
    else if (ended) this.#complete();
    else if (this.#message !== undefined && this.#waitingBytes === 0) this.#await(this.#message.length);
  }

  protected override dropRequest(): void {
    this.#reader.reset();
    this.#message = undefined;
    this.#giveBack();
  }

  #await(bytes: number): void {
    if (this.shared.unfinished.take(bytes)) this.#waitingBytes = bytes;
    else this.refuse(NO_ROOM);
  }

  #giveBack(): void {
    this.shared.unfinished.giveBack(this.#waitingBytes);
    this.#waitingBytes = 0;
  }

  #read(bytes: Uint8Array, from: number, to: number): RpcStatus | undefined {
    const reader = this.#reader;
    for (let at = from; at < to; ) {
      at = reader.read(bytes, at, to);
      if (reader.message === undefined) continue;
      if (this.#message !== undefined) return SECOND;
      this.#message = reader.message;
      this.#compressed = reader.compressed;
    }
    return reader.fault;
  }

  #endFault(): RpcStatus | undefined {
    if (this.#reader.unfinished) return CUT;
    return this.#message === undefined ? NONE : undefined;
  }

  #complete(): void {
    const message = this.#message as Uint8Array;
    this.#message = undefined;
    this.#giveBack();
    this.receiving(false);
    if (this.#compressed) void this.#inflate(message);
    else this.#admit(message);
  }

  async #inflate(message: Uint8Array): Promise<void> {
    this.running = true;
    const result = await inflated(this.shared, this.head?.encoding, message);
    if (!this.cameBack()) return;
    if (result instanceof Uint8Array) this.#admit(result);
    else this.refuse(result);
  }

  #admit(request: Uint8Array): void {
    this.received(request.length);
    const { guard, unread } = this.shared;
    const crowded = unread.isTooMuch((this.stream as Http2Stream).unsentOfConnection);
    const refusal = crowded ? guard.crowded : guard.refuse(this) ?? (this.carry(request.length) ? undefined : NO_ROOM);
    if (refusal === undefined) this.handle(request);
    else this.refuse(refusal);
  }
}
