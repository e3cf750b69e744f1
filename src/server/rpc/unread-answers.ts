/**
 * Bounds the memory of answers that callers have not taken: a caller that asks and never reads
 * holds each answer in this process until its stream ends. Only large answers count; beyond the
 * bound they are refused, and small ones still go out.
 */

import type { EventEmitter } from 'node:events';
import { KiB, MiB } from '../../base/bytes.js';

export const MAX_UNREAD_BYTES = 512 * MiB;
const LARGE = 256 * KiB;

/** Where grpc-js keeps the stream of a call that has no interceptors. */
interface WithStream {
  readonly call?: { readonly stream?: EventEmitter & { readonly destroyed: boolean } };
}

export class UnreadAnswers {
  readonly #limit: number;
  #bytes = 0;

  constructor(limit = MAX_UNREAD_BYTES) {
    this.#limit = limit;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Says whether an answer of this size may go out. One alone may, whatever its size. */
  admits(bytes: number): boolean {
    return bytes < LARGE || this.#bytes === 0 || this.#bytes + bytes <= this.#limit;
  }

  /** Counts the answer until the stream of its call is closed. */
  track(call: unknown, bytes: number): void {
    if (bytes < LARGE) return;
    const stream = (call as WithStream).call?.stream;
    if (stream === undefined || stream.destroyed) return;
    this.#bytes += bytes;
    stream.once('close', () => {
      this.#bytes -= bytes;
    });
  }
}
