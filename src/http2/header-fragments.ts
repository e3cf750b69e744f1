/**
 * A header block that comes in a HEADERS frame and CONTINUATION frames (RFC 9113, 6.10). While it
 * is open no other frame may come, so there is one at a time. It is bounded in bytes, in frames by
 * its bytes (a client that cuts a block into crumbs is stopped), and in time.
 */

import { EMPTY, KiB } from '../base/bytes.js';
import { MAX_FRAME_BYTES } from './frame.js';

/** Frames that a block may have whatever its size. */
const FREE_FRAMES = 32;
/** Each frame beyond those must on the average carry so much. */
const BYTES_PER_FRAME = 256;

export class HeaderFragments {
  readonly #maxBytes: number;
  /** The stream of the block that is open; 0: none. */
  id = 0;
  /** Of its HEADERS frame. */
  endStream = false;
  /** Its HEADERS frame says that it depends on itself. */
  selfDependent = false;
  #bytes: Uint8Array = EMPTY;
  #length = 0;
  #frames = 0;
  /** When a tick first found this block open. */
  #seenAt: number | undefined = undefined;

  /**
   * A block may be twice as large as the list that it stands for, so that one which is just too
   * large is still answered (431).
   */
  constructor(maxListBytes: number) {
    this.#maxBytes = 2 * maxListBytes + MAX_FRAME_BYTES;
  }

  begin(id: number, endStream: boolean, selfDependent: boolean): void {
    this.id = id;
    this.endStream = endStream;
    this.selfDependent = selfDependent;
  }

  /** It has been open for so long; to be asked at every tick. */
  isLate(now: number, timeoutMs: number): boolean {
    if (this.id === 0) return false;
    this.#seenAt ??= now;
    return now - this.#seenAt >= timeoutMs;
  }

  /** False: too much of it, ENHANCE_YOUR_CALM. */
  add(bytes: Uint8Array, from: number, to: number): boolean {
    const length = this.#length + to - from;
    if (length > this.#maxBytes || ++this.#frames > FREE_FRAMES + length / BYTES_PER_FRAME) return false;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, Math.min(this.#bytes.length * 2, this.#maxBytes), KiB));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(bytes.subarray(from, to), this.#length);
    this.#length = length;
    return true;
  }

  /** The whole block, which is the caller's. */
  take(): Uint8Array {
    const block = this.#bytes.subarray(0, this.#length);
    this.clear();
    return block;
  }

  clear(): void {
    this.id = 0;
    this.#bytes = EMPTY;
    this.#length = 0;
    this.#frames = 0;
    this.#seenAt = undefined;
  }
}
