/**
 * What goes out for the streams of a connection, as far as windows and transport allow. A header
 * block is encoded at the moment when it goes out, since it may change the peer's table. What
 * cannot go now waits in its stream, and the streams take turns.
 */

import { assert } from '../base/assert.js';
import { KiB } from '../base/bytes.js';
import { Http2Code } from './error-code.js';
import type { FloodBudget } from './flood-budget.js';
import { MAX_FRAME_BYTES } from './frame.js';
import type { FrameWriter } from './frame-writer.js';
import type { HpackEncoder } from './hpack/encoder.js';
import { NO_TRAILERS, type HeaderList } from './hpack/header-list.js';
import type { Outlet } from './outlet.js';
import type { Output } from './output.js';
import type { RequestHandler } from './request-handler.js';
import { SendQueue } from './send-queue.js';
import type { SendWindows } from './send-windows.js';
import type { StreamOwner, StreamRecord } from './stream-record.js';
import type { Streams } from './streams.js';

/** Unsent bytes of a stream from which on its layer above waits, and up to which it goes on. */
const WAIT_AT_BYTES = 64 * KiB;
const GO_ON_AT_BYTES = 16 * KiB;
/** Smaller frames are small because the peer has made them so, if more was waiting. */
const FAIR_FRAME_BYTES = 1 * KiB;

export interface ResponderParts {
  readonly handler: RequestHandler;
  readonly streams: Streams;
  readonly windows: SendWindows;
  readonly encoder: HpackEncoder;
  readonly writer: FrameWriter;
  readonly output: Output;
  readonly outlet: Outlet;
  readonly budget: FloodBudget;
  readonly peerName: string | undefined;
}

export class Responder implements StreamOwner {
  readonly peerName: string | undefined;
  readonly #handler: RequestHandler;
  readonly #streams: Streams;
  readonly #windows: SendWindows;
  readonly #encoder: HpackEncoder;
  readonly #writer: FrameWriter;
  readonly #output: Output;
  readonly #outlet: Outlet;
  readonly #budget: FloodBudget;
  readonly #queue = new SendQueue();
  #pumping = false;

  constructor(parts: ResponderParts) {
    this.peerName = parts.peerName;
    this.#handler = parts.handler;
    this.#streams = parts.streams;
    this.#windows = parts.windows;
    this.#encoder = parts.encoder;
    this.#writer = parts.writer;
    this.#output = parts.output;
    this.#outlet = parts.outlet;
    this.#budget = parts.budget;
  }

  get unsentBytes(): number {
    return this.#streams.unsentBytes;
  }

  respond(stream: StreamRecord, headers: HeaderList, prefix: Uint8Array, body: Uint8Array, trailers: HeaderList): void {
    assert(stream.phase === 'none', 'a stream has one response');
    stream.phase = 'ended';
    const size = prefix.length + body.length;
    this.#outlet.answered();
    if (!this.#mayWrite(stream, size)) {
      stream.headersWaiting = headers;
      stream.payload.push(prefix, body);
      stream.whole = true;
      this.#streams.unsent(size);
      stream.trailersWaiting = trailers;
      this.#place(stream);
      return this.pump();
    }
    this.#writer.headers(stream.id, this.#encoder.encode(headers), false);
    this.#windows.take(stream, size);
    this.#writer.data(stream.id, prefix, body);
    this.#end(stream, trailers);
    this.#outlet.flushIfLarge();
  }

  respondOnly(stream: StreamRecord, headers: HeaderList): void {
    assert(stream.phase === 'none', 'a stream has one response');
    stream.phase = 'ended';
    stream.headersWaiting = headers;
    this.#outlet.answered();
    this.#sendOrPlace(stream);
  }

  headers(stream: StreamRecord, headers: HeaderList): void {
    assert(stream.phase === 'none', 'a stream has one response');
    stream.phase = 'begun';
    stream.headersWaiting = headers;
    this.#outlet.answered();
    this.#sendOrPlace(stream);
  }

  data(stream: StreamRecord, prefix: Uint8Array, body: Uint8Array): boolean {
    assert(stream.phase === 'begun', 'payload comes between headers and trailers');
    const size = prefix.length + body.length;
    this.#outlet.answered();
    if (size > 0 && stream.headersWaiting === undefined && stream.payload.bytes === 0 && this.#mayWrite(stream, size)) {
      this.#windows.take(stream, size);
      this.#writer.data(stream.id, prefix, body);
      this.#budget.moved(size);
      this.#outlet.flushIfLarge();
      return true;
    }
    stream.payload.push(prefix, body);
    if (stream.ring === undefined) this.#place(stream);
    this.pump();
    if (stream.payload.bytes < WAIT_AT_BYTES) return true;
    stream.wantsWritable = true;
    return false;
  }

  trailers(stream: StreamRecord, trailers: HeaderList): void {
    assert(stream.phase === 'begun', 'trailers end a response that has begun');
    stream.phase = 'ended';
    stream.trailersWaiting = trailers;
    this.#outlet.answered();
    if (stream.payload.bytes === 0) this.#sendOrPlace(stream);
  }

  reset(stream: StreamRecord, code: number): void {
    this.resetId(stream.id, code, stream.requestEnded);
    this.#streams.close(stream, false);
  }

  /** Ends a stream that has no record, or whose record is closed by the caller. */
  resetId(id: number, code: number, requestEnded: boolean): void {
    this.#writer.reset(id, code);
    if (!requestEnded) this.#streams.rememberReset(id);
    this.#outlet.answered();
  }

  /** Answers a stream that has no record, by headers alone. */
  answerId(id: number, headers: HeaderList, requestEnded: boolean): void {
    this.#writer.headers(id, this.#encoder.encode(headers), true);
    if (!requestEnded) this.resetId(id, Http2Code.NO_ERROR, false);
    this.#outlet.answered();
  }

  consumed(stream: StreamRecord, bytes: number): void {
    this.#streams.consumed(stream, bytes);
  }

  released(stream: StreamRecord): void {
    this.#streams.released(stream);
  }

  /** The window of a stream has grown; `pump` is to follow. */
  unblock(stream: StreamRecord): void {
    if (stream.ring === undefined && stream.payload.bytes > 0) this.#place(stream);
  }

  /** Sends what may go out, a frame of each stream in turn. */
  pump(): void {
    // What the layer above gives meanwhile is taken by the loop that runs.
    if (this.#pumping) return;
    this.#pumping = true;
    while (!this.#outlet.full) {
      const stream = this.#queue.next(this.#windows.connection > 0);
      if (stream === undefined) break;
      this.#outlet.answered();
      this.#send(stream);
      this.#outlet.flushIfLarge();
    }
    this.#pumping = false;
  }

  /** A frame of so many bytes, of a stream that has nothing waiting, may go at once. */
  #mayWrite(stream: StreamRecord, bytes: number): boolean {
    return bytes <= MAX_FRAME_BYTES && bytes <= this.#windows.room(stream) && !this.#outlet.full;
  }

  /** Of a stream without payload. */
  #sendOrPlace(stream: StreamRecord): void {
    if (stream.ring !== undefined) return;
    if (this.#outlet.full) return this.#place(stream);
    this.#send(stream);
    this.#outlet.flushIfLarge();
  }

  /** Into the ring where it belongs; in none it waits for more of the response or for a window. */
  #place(stream: StreamRecord): void {
    const { bytes } = stream.payload;
    if (stream.headersWaiting !== undefined || (bytes === 0 && stream.phase === 'ended')) this.#queue.urgent.push(stream);
    else if (bytes > 0 && this.#windows.ofStream(stream) > 0) this.#queue.data.push(stream);
  }

  /** Headers, a frame of payload and trailers, as far as they are there and may go. */
  #send(stream: StreamRecord): void {
    if (stream.headersWaiting !== undefined && this.#sendHeaders(stream, stream.headersWaiting)) return;
    if (stream.payload.bytes > 0) {
      this.#sendPayload(stream);
      if (stream.payload.bytes > 0) {
        this.#place(stream);
        return this.#tellWritable(stream);
      }
    }
    if (stream.trailersWaiting !== undefined) {
      const trailers = stream.trailersWaiting;
      stream.trailersWaiting = undefined;
      return this.#end(stream, trailers);
    }
    this.#tellWritable(stream);
  }

  /** True: that was all of the response. */
  #sendHeaders(stream: StreamRecord, headers: HeaderList): boolean {
    const last = stream.phase === 'ended' && stream.trailersWaiting === undefined;
    stream.headersWaiting = undefined;
    this.#writer.headers(stream.id, this.#encoder.encode(headers), last);
    if (last) this.#finish(stream);
    return last;
  }

  #sendPayload(stream: StreamRecord): void {
    const waiting = stream.payload.bytes;
    const bytes = Math.min(waiting, this.#windows.room(stream), MAX_FRAME_BYTES);
    if (bytes <= 0) return;
    this.#windows.take(stream, bytes);
    this.#writer.dataHeader(stream.id, bytes);
    stream.payload.moveTo(this.#output, bytes);
    if (stream.whole) this.#streams.sent(bytes);
    if (bytes === waiting || bytes >= FAIR_FRAME_BYTES) this.#budget.moved(bytes);
  }

  #tellWritable(stream: StreamRecord): void {
    if (!stream.wantsWritable || stream.payload.bytes > GO_ON_AT_BYTES) return;
    stream.wantsWritable = false;
    this.#handler.writable(stream);
  }

  #end(stream: StreamRecord, trailers: HeaderList): void {
    if (trailers === NO_TRAILERS) this.#writer.end(stream.id);
    else this.#writer.headers(stream.id, this.#encoder.encode(trailers), true);
    this.#finish(stream);
  }

  /** The response is in the output. */
  #finish(stream: StreamRecord): void {
    // RFC 9113, 8.1: nobody needs the rest of the request.
    if (!stream.requestEnded) this.resetId(stream.id, Http2Code.NO_ERROR, false);
    this.#budget.responded();
    this.#streams.close(stream, true);
  }
}
