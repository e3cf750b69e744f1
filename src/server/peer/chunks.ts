/**
 * A frame that is larger than a chunk travels in chunks, one frame after the other, so that what is
 * prompt goes in between. A chunk says which part of which frame it is, under a checksum; the
 * receiver holds one frame in the making, never more than it is told a frame may be, and takes
 * nothing but the next part of it.
 *
 *     format u8 | zero u8, u8, u8 | CRC-32C u32 of what follows | frame u32 | total u32 |
 *     offset u32 | bytes          all little-endian; frames of a stream are numbered from 1 on
 */

import { assert } from '../../base/assert.js';
import { KiB } from '../../base/bytes.js';
import { crc32c } from '../../base/crc32c.js';
import { CodecError } from '../../base/errors.js';

/** Of a frame, in one chunk: about what a link takes without anybody noticing. */
export const CHUNK_BYTES = 256 * KiB;
/** What a receiver says it takes, see META_CHUNKS. */
export const CHUNK_FORMAT = 1;
const CRC_AT = 4;
const FRAME_AT = 8;
const TOTAL_AT = 12;
const OFFSET_AT = 16;
export const CHUNK_HEAD_BYTES = 20;

/** A part of a frame, ready to be sent. */
export interface Chunk {
  readonly head: Uint8Array;
  /** A view into the frame. */
  readonly bytes: Uint8Array;
}

/** Cuts frames, one after the other. Of one stream: it numbers them. */
export class FrameCutter {
  /** Of the last frame that was begun. */
  #number = 0;
  #frame: Uint8Array | undefined;
  /** What was cut off already. */
  #offset = 0;

  /** The frame that is being cut. */
  get frame(): Uint8Array | undefined {
    return this.#frame;
  }

  begin(frame: Uint8Array): void {
    assert(this.#frame === undefined && frame.length > 0, 'frames are cut one after the other');
    this.#number = (this.#number + 1) >>> 0;
    this.#frame = frame;
    this.#offset = 0;
  }

  /** The next part of the frame that is being cut; after the last one there is none. */
  next(): Chunk {
    const frame = this.#frame;
    assert(frame !== undefined, 'there is a frame to cut');
    const offset = this.#offset;
    const bytes = frame.subarray(offset, offset + CHUNK_BYTES);
    const head = new Uint8Array(CHUNK_HEAD_BYTES);
    const view = new DataView(head.buffer);
    head[0] = CHUNK_FORMAT;
    view.setUint32(FRAME_AT, this.#number, true);
    view.setUint32(TOTAL_AT, frame.length, true);
    view.setUint32(OFFSET_AT, offset, true);
    view.setUint32(CRC_AT, crc32c(bytes, crc32c(head, 0, FRAME_AT)), true);
    this.#offset += bytes.length;
    if (this.#offset === frame.length) this.#frame = undefined;
    return { head, bytes };
  }
}

/** Puts the chunks of one stream together. */
export class FrameAssembler {
  readonly #maxBytes: number;
  #frame: Uint8Array | undefined;
  #number = 0;
  /** What is here of it. */
  #length = 0;

  /** `maxBytes`: of a frame; a larger one is refused with its first chunk. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** Bytes held for a frame in the making. */
  get heldBytes(): number {
    return this.#frame?.length ?? 0;
  }

  /**
   * The frame, once its last chunk is here. Throws CodecError for a chunk that is damaged, of an
   * unknown format, of a frame that is too large, or not the next one: the stream is of no more
   * use.
   */
  take(chunk: Uint8Array): Uint8Array | undefined {
    if (chunk.length <= CHUNK_HEAD_BYTES) throw new CodecError(`a chunk of ${chunk.length} bytes holds nothing`);
    if (chunk[0] !== CHUNK_FORMAT) throw new CodecError(`a chunk of format ${chunk[0]} is not known`);
    const view = new DataView(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    if (view.getUint32(CRC_AT, true) !== crc32c(chunk, 0, FRAME_AT)) throw new CodecError('a chunk is not what its sender made');
    const [number, total, offset] = [view.getUint32(FRAME_AT, true), view.getUint32(TOTAL_AT, true), view.getUint32(OFFSET_AT, true)];
    const bytes = chunk.subarray(CHUNK_HEAD_BYTES);
    if (offset === 0) this.#begin(number, total);
    const frame = this.#frame;
    if (frame?.length !== total || number !== this.#number || offset !== this.#length || offset + bytes.length > total) {
      throw new CodecError(`a chunk at ${offset} of frame ${number} does not follow ${this.#length} bytes of frame ${this.#number}`);
    }
    frame.set(bytes, offset);
    this.#length += bytes.length;
    if (this.#length < total) return undefined;
    this.#frame = undefined;
    return frame;
  }

  #begin(number: number, total: number): void {
    if (this.#frame !== undefined) throw new CodecError(`frame ${number} begins before frame ${this.#number} ends`);
    if (total > this.#maxBytes) throw new CodecError(`a frame of ${total} bytes is too large: ${this.#maxBytes} are taken`);
    this.#frame = new Uint8Array(total);
    this.#number = number;
    this.#length = 0;
  }
}
