/**
 * Cuts the bytes of a peer into its preface and whole frames (RFC 9113, 3.4 and 4.1), whatever the
 * chunks. A frame is seen where it arrived; only one that ends in a later chunk is gathered, so
 * that every byte is copied at most once, and at most one frame is held. While it is stopped it
 * keeps what comes for later.
 */

import { EMPTY } from '../base/bytes.js';
import type { FrameBufferPool } from './block-pool.js';
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES, readU24, readU31 } from './frame.js';

/** What a client says first. */
export const PREFACE = Uint8Array.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', (c) => c.charCodeAt(0));

export interface FrameSink {
  /** One whole frame: its payload is `bytes` in [from, to), overwritten after the return. */
  frame(bytes: Uint8Array, from: number, to: number, type: number, flags: number, id: number): void;
}

export type ReadResult = 'ok' | 'bad-preface' | 'frame-too-large';

export class FrameReader {
  readonly #sink: FrameSink;
  readonly #pool: FrameBufferPool;
  #prefaceLeft: number;
  /** The beginning of a frame that has not ended. */
  #part: Uint8Array | undefined = undefined;
  #partBytes = 0;
  #held: Uint8Array = EMPTY;
  #state: 'reading' | 'stopped' | 'ended' = 'reading';

  /** `peer`: whose frames they are; a server sends no preface. */
  constructor(sink: FrameSink, pool: FrameBufferPool, peer: 'client' | 'server' = 'client') {
    this.#prefaceLeft = peer === 'client' ? PREFACE.length : 0;
    this.#sink = sink;
    this.#pool = pool;
  }

  /** Bytes kept while it was stopped. */
  get heldBytes(): number {
    return this.#held.length;
  }

  /** The chunk may be overwritten after the return. */
  read(chunk: Uint8Array): ReadResult {
    if (this.#state !== 'reading') {
      this.#hold(chunk, 0);
      return 'ok';
    }
    return this.#readFrom(chunk);
  }

  /** No more frames, also of the chunk that is being read, until it goes on. */
  stop(): void {
    if (this.#state === 'reading') this.#state = 'stopped';
  }

  /** Reads what was held. */
  goOn(): ReadResult {
    if (this.#state !== 'stopped') return 'ok';
    this.#state = 'reading';
    const held = this.#held;
    this.#held = EMPTY;
    return this.#readFrom(held);
  }

  /** For ever: gives back what is held. */
  end(): void {
    this.#state = 'ended';
    this.#held = EMPTY;
    this.#dropPart();
  }

  #readFrom(chunk: Uint8Array): ReadResult {
    let at = 0;
    if (this.#prefaceLeft > 0) {
      at = this.#readPreface(chunk);
      if (at < 0) return 'bad-preface';
    }
    if (this.#partBytes > 0) {
      at = this.#finishPart(chunk, at);
      if (at < 0) return 'frame-too-large';
    }
    const end = chunk.length;
    while (end - at >= FRAME_HEADER_BYTES && this.#state === 'reading') {
      const length = readU24(chunk, at);
      if (length > MAX_FRAME_BYTES) return 'frame-too-large';
      const from = at + FRAME_HEADER_BYTES;
      const to = from + length;
      if (to > end) break;
      this.#sink.frame(chunk, from, to, chunk[at + 3] as number, chunk[at + 4] as number, readU31(chunk, at + 5));
      at = to;
    }
    if (at < end) {
      if (this.#state === 'reading') this.#addToPart(chunk, at, end);
      else this.#hold(chunk, at);
    }
    return 'ok';
  }

  /** Where the frames begin; negative: this is no HTTP/2. */
  #readPreface(chunk: Uint8Array): number {
    const from = PREFACE.length - this.#prefaceLeft;
    const n = Math.min(this.#prefaceLeft, chunk.length);
    for (let i = 0; i < n; i++) if (chunk[i] !== PREFACE[from + i]) return -1;
    this.#prefaceLeft -= n;
    return n;
  }

  /** Where the next frame begins; negative: the frame is too large. */
  #finishPart(chunk: Uint8Array, start: number): number {
    let at = start;
    const missing = FRAME_HEADER_BYTES - this.#partBytes;
    if (missing > 0) {
      at = this.#addToPart(chunk, at, Math.min(at + missing, chunk.length));
      if (this.#partBytes < FRAME_HEADER_BYTES) return at;
    }
    const part = this.#part as Uint8Array;
    const length = readU24(part, 0);
    if (length > MAX_FRAME_BYTES) return -1;
    const to = FRAME_HEADER_BYTES + length;
    at = this.#addToPart(chunk, at, Math.min(at + to - this.#partBytes, chunk.length));
    if (this.#partBytes < to) return at;
    this.#partBytes = 0;
    this.#sink.frame(part, FRAME_HEADER_BYTES, to, part[3] as number, part[4] as number, readU31(part, 5));
    this.#dropPart();
    return at;
  }

  #addToPart(chunk: Uint8Array, from: number, to: number): number {
    if (to === from) return to;
    this.#part ??= this.#pool.take();
    this.#part.set(chunk.subarray(from, to), this.#partBytes);
    this.#partBytes += to - from;
    return to;
  }

  #dropPart(): void {
    this.#partBytes = 0;
    if (this.#part === undefined) return;
    this.#pool.give(this.#part);
    this.#part = undefined;
  }

  #hold(chunk: Uint8Array, from: number): void {
    if (this.#state === 'ended' || from === chunk.length) return;
    const held = new Uint8Array(this.#held.length + chunk.length - from);
    held.set(this.#held);
    held.set(chunk.subarray(from), this.#held.length);
    this.#held = held;
  }
}
