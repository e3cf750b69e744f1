/**
 * What waits to be sent to one peer, and in which order it leaves: what is prompt first, then the
 * rest in order, large frames in chunks. Bounded: beyond the bound a frame is dropped, which Raft
 * repeats. While there is no stream only a little is kept, the newest, so that a peer that comes
 * back is not met with old news.
 */

import { assert } from '../../base/assert.js';
import { KiB, MiB } from '../../base/bytes.js';
import type { Lane } from '../../base/env.js';
import { Fifo } from '../../base/fifo.js';
import { CHUNK_BYTES, FrameCutter, type Chunk } from './chunks.js';

/** Kept while there is no stream. */
const DETACHED_BYTES = 64 * KiB;
/** A message takes frames up to here; one frame may be larger by itself. */
const BATCH_BYTES = MiB;
/** What a peer that knows no chunks takes in one frame. */
export const WHOLE_BYTES = 8 * MiB;

/** One message of the stream. */
export interface OutgoingBatch {
  readonly frames: readonly Uint8Array[];
  /** After the frames. */
  readonly chunk: Chunk | undefined;
  /** Of the bulk lane. */
  readonly bulkBytes: number;
}

/** Frames in the order in which they came. */
class FrameQueue {
  readonly #frames = new Fifo<Uint8Array>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  get first(): Uint8Array | undefined {
    return this.#frames.first;
  }

  push(frame: Uint8Array): void {
    this.#frames.push(frame);
    this.#bytes += frame.length;
  }

  shift(): Uint8Array | undefined {
    const frame = this.#frames.shift();
    this.#bytes -= frame?.length ?? 0;
    return frame;
  }

  clear(): void {
    this.#frames.clear();
    this.#bytes = 0;
  }
}

export class Outgoing {
  readonly #queueBytes: number;
  readonly #prompt = new FrameQueue();
  readonly #bulk = new FrameQueue();
  /** Of the stream that is up. */
  #cutter = new FrameCutter();
  /** What is left to be cut off the frame at hand. */
  #uncutBytes = 0;
  #dropped = 0;

  /** `queueBytes`: of frames that wait, a frame that is sent in part included. */
  constructor(queueBytes: number) {
    this.#queueBytes = queueBytes;
  }

  /** Frames dropped for want of room since the start. */
  get dropped(): number {
    return this.#dropped;
  }

  get bytes(): number {
    return this.#prompt.bytes + this.#bulk.bytes + this.#uncutBytes;
  }

  /** Something may be sent; `bulk`: also of that lane. */
  has(bulk: boolean): boolean {
    return this.#prompt.first !== undefined || (bulk && (this.#uncutBytes > 0 || this.#bulk.first !== undefined));
  }

  /** For a stream that is up. */
  push(frame: Uint8Array, lane: Lane): void {
    if (this.bytes + frame.length > this.#queueBytes) this.#dropped++;
    else (lane === 'prompt' ? this.#prompt : this.#bulk).push(frame);
  }

  /** There is no stream. */
  keep(frame: Uint8Array, lane: Lane): void {
    assert(this.#uncutBytes === 0, 'a frame is sent in part only while there is a stream');
    (lane === 'prompt' ? this.#prompt : this.#bulk).push(frame);
    for (const queue of [this.#bulk, this.#prompt]) {
      while (this.bytes > DETACHED_BYTES && queue.shift() !== undefined) this.#dropped++;
    }
  }

  /** The stream is over: what waits for it, and what is half sent, goes with it. */
  clear(): void {
    this.#prompt.clear();
    this.#bulk.clear();
    this.#cutter = new FrameCutter();
    this.#uncutBytes = 0;
  }

  /**
   * The next message, undefined if there is none. `bulk`: whether the bulk lane may go on;
   * `chunks`: whether the peer takes them.
   */
  take(bulk: boolean, chunks: boolean): OutgoingBatch | undefined {
    const frames: Uint8Array[] = [];
    let bytes = this.#fill(frames, this.#prompt, 0, Infinity);
    const promptBytes = bytes;
    let chunk: Chunk | undefined;
    if (bulk && bytes < BATCH_BYTES) {
      if (this.#uncutBytes === 0) {
        if (!chunks) this.#dropLarge();
        bytes = this.#fill(frames, this.#bulk, bytes, chunks ? CHUNK_BYTES : WHOLE_BYTES);
        if (bytes < BATCH_BYTES && chunks) this.#beginCut();
      }
      if (this.#uncutBytes > 0) {
        chunk = this.#cutter.next();
        this.#uncutBytes -= chunk.bytes.length;
        bytes += chunk.bytes.length;
      }
    }
    assert((this.#uncutBytes > 0) === (this.#cutter.frame !== undefined), 'what is left to cut off is that of the frame at hand');
    return bytes === 0 ? undefined : { frames, chunk, bulkBytes: bytes - promptBytes };
  }

  /** Moves whole frames of up to `each` bytes, as many as a message takes, at least one. */
  #fill(frames: Uint8Array[], queue: FrameQueue, from: number, each: number): number {
    let bytes = from;
    for (let next = queue.first; next !== undefined && next.length <= each; next = queue.first) {
      if (bytes > 0 && bytes + next.length > BATCH_BYTES) break;
      bytes += next.length;
      frames.push(next);
      queue.shift();
    }
    return bytes;
  }

  #beginCut(): void {
    const next = this.#bulk.first;
    if (next === undefined || next.length <= CHUNK_BYTES) return;
    this.#bulk.shift();
    this.#cutter.begin(next);
    this.#uncutBytes = next.length;
  }

  /** The peer is of an older version, and refuses them. */
  #dropLarge(): void {
    while ((this.#bulk.first?.length ?? 0) > WHOLE_BYTES) {
      this.#bulk.shift();
      this.#dropped++;
    }
  }
}
