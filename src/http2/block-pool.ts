/**
 * Blocks of memory that are used again: what output is gathered in, and frames that arrive in
 * pieces. A block is lent to one user at a time. Of a block whose first bytes a transport still
 * holds only the rest is lent again, so nothing that was written is ever overwritten.
 *
 * Output begins in a small block, as most connections have little to say in a turn and there may be
 * thousands of them; a large one serves those that say more.
 */

import { KiB } from '../base/bytes.js';
import { FRAME_HEADER_BYTES, MAX_FRAME_BYTES } from './frame.js';

export const SMALL_BYTES = 4 * KiB;
const LARGE_BYTES = 64 * KiB;
/** The least room in a block that is lent; in a large one any frame has room. */
const SMALL_ROOM_BYTES = 1 * KiB;
const LARGE_ROOM_BYTES = 20 * KiB;
/** Blocks kept for later, at most: 8 MiB and 4 MiB. */
const MAX_SPARE_SMALL = 2_048;
const MAX_SPARE = 64;

export class Block {
  readonly bytes: Uint8Array;
  /** What is before is not ours any more. */
  from = 0;

  constructor(bytes: number) {
    this.bytes = Buffer.allocUnsafeSlow(bytes);
  }
}

export class BlockPool {
  readonly #small: Block[] = [];
  readonly #large: Block[] = [];
  #lent = 0;

  get lent(): number {
    return this.#lent;
  }

  /** With room for so many bytes, at most those of a frame, or for as many as there may be. */
  take(bytes: number): Block {
    this.#lent++;
    if (bytes <= SMALL_ROOM_BYTES) return this.#small.pop() ?? new Block(SMALL_BYTES);
    return this.#large.pop() ?? new Block(LARGE_BYTES);
  }

  /** All from `block.from` on is free. */
  give(block: Block): void {
    this.#lent--;
    if (block.bytes.length === SMALL_BYTES) {
      if (this.#small.length < MAX_SPARE_SMALL) this.#small.push(block);
    } else if (this.#large.length < MAX_SPARE) this.#large.push(block);
  }

  /** Somebody else holds all before `from`. */
  giveRest(block: Block, from: number): void {
    const { length } = block.bytes;
    block.from = from;
    if (length - from >= (length === SMALL_BYTES ? SMALL_ROOM_BYTES : LARGE_ROOM_BYTES)) this.give(block);
    else this.#lent--;
  }
}

/** Buffers that hold one frame with its header. */
export class FrameBufferPool {
  readonly #spare: Uint8Array[] = [];
  #lent = 0;

  get lent(): number {
    return this.#lent;
  }

  take(): Uint8Array {
    this.#lent++;
    return this.#spare.pop() ?? Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + MAX_FRAME_BYTES);
  }

  give(buffer: Uint8Array): void {
    this.#lent--;
    if (this.#spare.length < MAX_SPARE) this.#spare.push(buffer);
  }
}
