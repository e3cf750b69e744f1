/** Writes frames, whole and in order, into the output (RFC 9113, 6). */

import { Flag, FRAME_HEADER_BYTES, FrameType, MAX_FRAME_BYTES } from './frame.js';
import type { Output } from './output.js';

const PING_BYTES = 8;

export class FrameWriter {
  readonly #output: Output;

  constructor(output: Output) {
    this.#output = output;
  }

  /** A header block, which goes on in CONTINUATION frames if it is larger than a frame. */
  headers(id: number, block: Uint8Array, endStream: boolean): void {
    const flags = endStream ? Flag.END_STREAM : 0;
    if (block.length > MAX_FRAME_BYTES) return this.#longHeaders(id, block, flags);
    const output = this.#output;
    output.reserve(FRAME_HEADER_BYTES + block.length);
    output.frameHeader(block.length, FrameType.HEADERS, flags | Flag.END_HEADERS, id);
    output.copy(block);
  }

  #longHeaders(id: number, block: Uint8Array, flags: number): void {
    for (let from = 0; from < block.length; from += MAX_FRAME_BYTES) {
      const part = block.subarray(from, from + MAX_FRAME_BYTES);
      const type = from === 0 ? FrameType.HEADERS : FrameType.CONTINUATION;
      const last = from + part.length === block.length ? Flag.END_HEADERS : 0;
      this.#output.reserve(FRAME_HEADER_BYTES + part.length);
      this.#output.frameHeader(part.length, type, (from === 0 ? flags : 0) | last, id);
      this.#output.copy(part);
    }
  }

  /**
   * A whole DATA frame, copied whatever its size: with what comes before and behind it, it is one
   * piece of the write, and who gave it has it back.
   */
  data(id: number, prefix: Uint8Array, body: Uint8Array): void {
    const output = this.#output;
    const size = prefix.length + body.length;
    output.reserve(FRAME_HEADER_BYTES + size);
    output.frameHeader(size, FrameType.DATA, 0, id);
    output.copy(prefix);
    output.copy(body);
  }

  /** The payload is put into the output by the caller. */
  dataHeader(id: number, bytes: number): void {
    this.#output.reserve(FRAME_HEADER_BYTES);
    this.#output.frameHeader(bytes, FrameType.DATA, 0, id);
  }

  /** Ends a stream behind its payload, without trailers. */
  end(id: number): void {
    this.#start(0, FrameType.DATA, Flag.END_STREAM, id);
  }

  reset(id: number, code: number): void {
    this.#start(4, FrameType.RST_STREAM, 0, id);
    this.#output.u32(code);
  }

  windowUpdate(id: number, increment: number): void {
    this.#start(4, FrameType.WINDOW_UPDATE, 0, id);
    this.#output.u32(increment);
  }

  settings(settings: readonly (readonly [id: number, value: number])[]): void {
    this.#start(settings.length * 6, FrameType.SETTINGS, 0, 0);
    for (const [id, value] of settings) {
      this.#output.u16(id);
      this.#output.u32(value);
    }
  }

  settingsAck(): void {
    this.#start(0, FrameType.SETTINGS, Flag.ACK, 0);
  }

  /** A ping of ours; its answer carries the same number. */
  ping(number: number): void {
    this.#start(PING_BYTES, FrameType.PING, 0, 0);
    this.#output.u32(0);
    this.#output.u32(number);
  }

  pingAck(bytes: Uint8Array, from: number): void {
    this.#start(PING_BYTES, FrameType.PING, Flag.ACK, 0);
    this.#output.copy(bytes.subarray(from, from + PING_BYTES));
  }

  goaway(lastId: number, code: number): void {
    this.#start(8, FrameType.GOAWAY, 0, 0);
    this.#output.u32(lastId);
    this.#output.u32(code);
  }

  #start(length: number, type: number, flags: number, id: number): void {
    this.#output.reserve(FRAME_HEADER_BYTES + length);
    this.#output.frameHeader(length, type, flags, id);
  }
}
