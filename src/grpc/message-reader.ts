/**
 * Takes length-prefixed messages out of the bytes of a request, however these are cut (gRPC over
 * HTTP/2, "Length-Prefixed-Message": a flag, four bytes of length, the message).
 *
 * A length is judged before memory is taken for it, and memory is taken as the bytes come: who
 * announces much and sends little holds little. What is held for a message that is not complete is
 * counted in a budget, and given back when it is or by `reset`.
 */

import { assert } from '../base/assert.js';
import { KiB } from '../base/bytes.js';
import type { ByteBudget } from './byte-budget.js';
import { Code } from './code.js';
import type { MessageBytes } from './message-bytes.js';
import type { RpcStatus } from './status.js';

const PREFIX = 5;
const COMPRESSED = 1;
/** The least that is taken for a message in parts. */
const FIRST_PART = 16 * KiB;

export const NO_ROOM: RpcStatus = { code: Code.RESOURCE_EXHAUSTED, details: 'grpc: too many bytes of unfinished requests' };

/** What is wrong with a prefix; undefined: nothing. */
function prefixFault(flag: number, size: number, maxBytes: number): RpcStatus | undefined {
  if (flag > COMPRESSED) return { code: Code.INTERNAL, details: `grpc: received unexpected payload format ${flag}` };
  if (size > maxBytes) {
    return { code: Code.RESOURCE_EXHAUSTED, details: `grpc: received message larger than max (${size} vs. ${maxBytes})` };
  }
  return undefined;
}

export class MessageReader {
  readonly #maxBytes: number;
  readonly #memory: MessageBytes;
  readonly #budget: ByteBudget;
  /** Bytes of the prefix that are here; PREFIX while the message itself comes. */
  #prefix = 0;
  #flag = 0;
  #size = 0;
  /** Of a message that has come in part; its length is what is counted. */
  #part: Uint8Array | undefined = undefined;
  #filled = 0;

  /** Complete since the last `read`: the taker's. */
  message: Uint8Array | undefined = undefined;
  /** The message's flag. */
  compressed = false;
  /** Nothing can be read any more. */
  fault: RpcStatus | undefined = undefined;

  constructor(maxBytes: number, memory: MessageBytes, budget: ByteBudget) {
    this.#maxBytes = maxBytes;
    this.#memory = memory;
    this.#budget = budget;
  }

  /** A message has begun and is not complete. */
  get unfinished(): boolean {
    return this.#prefix > 0;
  }

  /**
   * Reads on in `bytes`, in [from, to); returns where it stopped: at `to`, or behind a message,
   * which is in `message` then. After a fault it goes to `to` and takes nothing.
   */
  read(bytes: Uint8Array, from: number, to: number): number {
    this.message = undefined;
    if (this.fault !== undefined) return to;
    let at = from;
    if (this.#prefix < PREFIX) {
      at = this.#readPrefix(bytes, at, to);
      if (this.#prefix < PREFIX) return to;
      this.fault = prefixFault(this.#flag, this.#size, this.#maxBytes);
      if (this.fault !== undefined) return to;
    }
    const size = this.#size;
    if (this.#part === undefined && to - at >= size) {
      this.#complete(this.#memory.copy(bytes, at, size));
      return at + size;
    }
    return this.#readPart(bytes, at, to);
  }

  /** Forgets what has come in part and gives back what it held. */
  reset(): void {
    if (this.#part !== undefined) this.#budget.giveBack(this.#part.length);
    this.#part = undefined;
    this.#filled = 0;
    this.#prefix = 0;
    this.#size = 0;
    this.message = undefined;
    this.fault = undefined;
  }

  #readPrefix(bytes: Uint8Array, from: number, to: number): number {
    let at = from;
    while (this.#prefix < PREFIX && at < to) {
      const byte = bytes[at++] as number;
      if (this.#prefix === 0) this.#flag = byte;
      else this.#size = this.#size * 256 + byte;
      this.#prefix++;
    }
    return at;
  }

  #readPart(bytes: Uint8Array, from: number, to: number): number {
    const end = Math.min(to, from + this.#size - this.#filled);
    const filled = this.#filled + end - from;
    if (filled === 0) return end;
    const part = this.#partOf(filled);
    if (part === undefined) {
      this.fault = NO_ROOM;
      return to;
    }
    part.set(bytes.subarray(from, end), this.#filled);
    this.#filled = filled;
    if (filled < this.#size) return end;
    assert(part.length === this.#size, 'a part never grows beyond its message');
    this.#budget.giveBack(part.length);
    this.#part = undefined;
    this.#filled = 0;
    this.#complete(part);
    return end;
  }

  /** Room for so many bytes, with those that are there; undefined: there is no room. */
  #partOf(bytes: number): Uint8Array | undefined {
    const part = this.#part;
    const held = part?.length ?? 0;
    if (part !== undefined && bytes <= held) return part;
    const room = Math.min(this.#size, Math.max(FIRST_PART, 2 * bytes));
    if (!this.#budget.take(room - held)) return undefined;
    const grown = new Uint8Array(room);
    if (part !== undefined) grown.set(part.subarray(0, this.#filled));
    this.#part = grown;
    return grown;
  }

  #complete(message: Uint8Array): void {
    this.message = message;
    this.compressed = this.#flag === COMPRESSED;
    this.#prefix = 0;
    this.#size = 0;
  }
}
