/**
 * Bytes on their way out, in order. Small ones are copied into blocks of a pool, large ones are
 * written from where they lie. A block goes back to the pool only as far as the transport has let
 * go of it.
 */

import { EMPTY, KiB } from '../base/bytes.js';
import { SMALL_BYTES, type Block, type BlockPool } from './block-pool.js';
import { FRAME_HEADER_BYTES } from './frame.js';
import type { Transport, Written } from './transport.js';

/** Up to here a payload is copied; what is larger costs less as a piece of its own. */
export const COPY_MAX_BYTES = 8 * KiB;
/** More than a small block has room for. */
const LARGE = SMALL_BYTES + 1;
/** Below, a loop copies faster than a call. */
const SHORT_BYTES = 16;

export class Output {
  readonly #pool: BlockPool;
  #block: Block | undefined = undefined;
  /** Those of the block, or none. */
  #bytes: Uint8Array = EMPTY;
  /** What [#from, #at) of the block holds comes after the pieces. */
  #from = 0;
  #at = 0;
  readonly #pieces: Uint8Array[] = [];
  #piecesBytes = 0;
  /** Blocks that pieces lie in, but for the last one. */
  readonly #used: Block[] = [];
  /** The last write did not fit into a small block, so the next may not, either. */
  #wasLarge = false;

  constructor(pool: BlockPool) {
    this.#pool = pool;
  }

  /** Bytes that wait to be written. */
  get size(): number {
    return this.#piecesBytes + this.#at - this.#from;
  }

  /** The next `bytes` bytes, at most those of one frame, will lie in one block. */
  reserve(bytes: number): void {
    if (this.#bytes.length - this.#at < bytes) this.#nextBlock(bytes);
  }

  /** Needs reserved room, as all that follow. */
  frameHeader(length: number, type: number, flags: number, id: number): void {
    const bytes = this.#bytes;
    const at = this.#at;
    bytes[at] = length >>> 16;
    bytes[at + 1] = length >>> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    bytes[at + 5] = id >>> 24;
    bytes[at + 6] = id >>> 16;
    bytes[at + 7] = id >>> 8;
    bytes[at + 8] = id;
    this.#at = at + FRAME_HEADER_BYTES;
  }

  u16(n: number): void {
    this.#bytes[this.#at] = n >>> 8;
    this.#bytes[this.#at + 1] = n;
    this.#at += 2;
  }

  u32(n: number): void {
    const at = this.#at;
    this.#bytes[at] = n >>> 24;
    this.#bytes[at + 1] = n >>> 16;
    this.#bytes[at + 2] = n >>> 8;
    this.#bytes[at + 3] = n;
    this.#at = at + 4;
  }

  copy(source: Uint8Array): void {
    const at = this.#at;
    const { length } = source;
    if (length < SHORT_BYTES) {
      const bytes = this.#bytes;
      for (let i = 0; i < length; i++) bytes[at + i] = source[i] as number;
    } else this.#bytes.set(source, at);
    this.#at = at + length;
  }

  /** [from, to) of bytes that nobody changes any more; needs no reserved room. */
  payload(source: Uint8Array, from: number, to: number): void {
    const part = from === 0 && to === source.length ? source : source.subarray(from, to);
    if (part.length <= COPY_MAX_BYTES) {
      this.reserve(part.length);
      this.copy(part);
      return;
    }
    this.#cut();
    this.#pieces.push(part);
    this.#piecesBytes += part.length;
  }

  /** Gives all that waits to the transport, in one write. */
  writeTo(transport: Transport): Written {
    this.#cut();
    if (this.#pieces.length === 0) return 'taken';
    this.#wasLarge = this.#piecesBytes > SMALL_BYTES;
    const written = transport.write(this.#pieces);
    this.#release(written === 'taken');
    return written;
  }

  /** Nothing of it will be written. */
  drop(): void {
    this.#release(true);
  }

  #nextBlock(bytes: number): void {
    this.#cut();
    const first = this.#block === undefined && !this.#wasLarge;
    if (this.#block !== undefined) this.#used.push(this.#block);
    const block = this.#pool.take(first ? bytes : LARGE);
    this.#block = block;
    this.#bytes = block.bytes;
    this.#from = this.#at = block.from;
  }

  /** What is in the block becomes a piece. */
  #cut(): void {
    const bytes = this.#at - this.#from;
    if (bytes === 0) return;
    this.#pieces.push(this.#bytes.subarray(this.#from, this.#at));
    this.#piecesBytes += bytes;
    this.#from = this.#at;
  }

  /** `free`: nobody holds the pieces. */
  #release(free: boolean): void {
    const block = this.#block;
    if (block !== undefined) {
      if (free) this.#pool.give(block);
      else this.#pool.giveRest(block, this.#at);
    }
    if (this.#used.length > 0) {
      for (const used of this.#used) {
        if (free) this.#pool.give(used);
        else this.#pool.giveRest(used, used.bytes.length);
      }
      this.#used.length = 0;
    }
    this.#block = undefined;
    this.#bytes = EMPTY;
    this.#from = this.#at = 0;
    this.#pieces.length = 0;
    this.#piecesBytes = 0;
  }
}
