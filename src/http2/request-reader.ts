/**
 * Requests as they arrive: HEADERS with CONTINUATION, DATA and RST_STREAM, by the states of a
 * stream (RFC 9113, 5.1 and 8.1). What is wrong with one request ends its stream; what puts the
 * connection out of step (header compression, connection window, ids) ends the connection. Every
 * header block is decoded, wanted or not, as the table must follow the peer's.
 */

import { EMPTY } from '../base/bytes.js';
import type { ConnectionControl } from './connection-control.js';
import type { Drain } from './drain.js';
import { Http2Code } from './error-code.js';
import type { FloodBudget } from './flood-budget.js';
import { Flag, readU31 } from './frame.js';
import type { Handshake } from './handshake.js';
import { HeaderFragments } from './header-fragments.js';
import { HeaderList } from './hpack/header-list.js';
import type { Http2Limits } from './limits.js';
import type { RequestHandler } from './request-handler.js';
import { RequestHeads } from './request-heads.js';
import type { Responder } from './responder.js';
import type { StreamRecord } from './stream-record.js';
import type { Streams } from './streams.js';

const PRIORITY_BYTES = 5;
const TOO_LARGE = HeaderList.of([':status', '431']);

export interface RequestReaderParts {
  readonly connection: ConnectionControl;
  readonly handler: RequestHandler;
  readonly limits: Http2Limits;
  readonly streams: Streams;
  readonly responder: Responder;
  readonly budget: FloodBudget;
  readonly handshake: Handshake;
  readonly drain: Drain;
}

export class RequestReader {
  readonly #connection: ConnectionControl;
  readonly #handler: RequestHandler;
  readonly #streams: Streams;
  readonly #responder: Responder;
  readonly #budget: FloodBudget;
  readonly #handshake: Handshake;
  readonly #drain: Drain;
  readonly #heads: RequestHeads;
  readonly #fragments: HeaderFragments;

  constructor(parts: RequestReaderParts) {
    this.#connection = parts.connection;
    this.#handler = parts.handler;
    this.#streams = parts.streams;
    this.#responder = parts.responder;
    this.#budget = parts.budget;
    this.#handshake = parts.handshake;
    this.#drain = parts.drain;
    this.#heads = new RequestHeads(parts.limits.maxHeaderListBytes);
    this.#fragments = new HeaderFragments(parts.limits.maxHeaderListBytes);
  }

  /** The stream whose header block has not ended: nothing but its CONTINUATION may come; or 0. */
  get openBlock(): number {
    return this.#fragments.id;
  }

  /** A header block has been open for so long. */
  isLate(now: number, timeoutMs: number): boolean {
    return this.#fragments.isLate(now, timeoutMs);
  }

  end(): void {
    this.#fragments.clear();
  }

  headers(bytes: Uint8Array, at: number, end: number, flags: number, id: number): void {
    if ((id & 1) === 0) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    let from = at;
    let to = end;
    let selfDependent = false;
    if ((flags & Flag.PADDED) !== 0) {
      if (from === to) return this.#connection.fail(Http2Code.FRAME_SIZE_ERROR);
      to -= bytes[from++] as number;
    }
    if ((flags & Flag.PRIORITY) !== 0) {
      if (end - from < PRIORITY_BYTES) return this.#connection.fail(Http2Code.FRAME_SIZE_ERROR);
      selfDependent = readU31(bytes, from) === id;
      from += PRIORITY_BYTES;
    }
    if (from > to) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    const ended = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) return this.#block(bytes, from, to, id, ended, selfDependent);
    this.#fragments.begin(id, ended, selfDependent);
    this.#fragment(bytes, from, to);
  }

  /** Comes only for the block that is open. */
  continuation(bytes: Uint8Array, from: number, to: number, flags: number): void {
    const fragments = this.#fragments;
    if (!this.#fragment(bytes, from, to) || (flags & Flag.END_HEADERS) === 0) return;
    const { id, endStream, selfDependent } = fragments;
    const block = fragments.take();
    this.#block(block, 0, block.length, id, endStream, selfDependent);
  }

  #fragment(bytes: Uint8Array, from: number, to: number): boolean {
    if (this.#fragments.add(bytes, from, to)) return true;
    this.#connection.fail(Http2Code.ENHANCE_YOUR_CALM);
    return false;
  }

  #block(bytes: Uint8Array, from: number, to: number, id: number, ended: boolean, selfDependent: boolean): void {
    const streams = this.#streams;
    if (id <= streams.lastId) return this.#trailers(bytes, from, to, id, ended);
    streams.use(id);
    if (!streams.hasRoom || id > this.#drain.lastId) {
      if (this.#heads.readTrailers(bytes, from, to) === 'broken') return this.#connection.fail(Http2Code.COMPRESSION_ERROR);
      return this.#refuse(id, Http2Code.REFUSED_STREAM, ended);
    }
    const head = this.#heads.read(bytes, from, to);
    if (head === undefined) return this.#connection.fail(Http2Code.COMPRESSION_ERROR);
    if (head.tooLarge) {
      if (this.#mayEnd()) this.#responder.answerId(id, TOO_LARGE, ended);
      return;
    }
    if (head.malformed || selfDependent || (ended && head.contentLength > 0)) return this.#refuse(id, Http2Code.PROTOCOL_ERROR, ended);
    const stream = streams.begin(id, this.#responder, this.#handshake.acknowledged);
    stream.contentLeft = head.contentLength;
    stream.requestEnded = ended;
    this.#handler.request(stream, head, ended);
  }

  #trailers(bytes: Uint8Array, from: number, to: number, id: number, ended: boolean): void {
    const read = this.#heads.readTrailers(bytes, from, to);
    if (read === 'broken') return this.#connection.fail(Http2Code.COMPRESSION_ERROR);
    const stream = this.#streams.get(id);
    if (stream === undefined) {
      if (!this.#streams.wasReset(id)) return this.#connection.fail(Http2Code.STREAM_CLOSED);
      return this.#afterReset(id, ended);
    }
    if (stream.requestEnded) return this.abort(stream, Http2Code.STREAM_CLOSED);
    if (!ended || read === 'malformed') return this.abort(stream, Http2Code.PROTOCOL_ERROR);
    this.#endRequest(stream, EMPTY, 0, 0);
  }

  data(bytes: Uint8Array, at: number, end: number, flags: number, id: number): void {
    if (id === 0) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    const size = end - at;
    let from = at;
    let to = end;
    if ((flags & Flag.PADDED) !== 0) {
      if (size === 0) return this.#connection.fail(Http2Code.FRAME_SIZE_ERROR);
      to -= bytes[from++] as number;
      if (from > to) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    }
    if (!this.#streams.received(size)) return this.#connection.fail(Http2Code.FLOW_CONTROL_ERROR);
    const ended = (flags & Flag.END_STREAM) !== 0;
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#dataOfNone(id, size, ended);
    if (stream.requestEnded || !stream.receiveWindow.take(size)) {
      this.#streams.giveBack(size);
      return this.abort(stream, stream.requestEnded ? Http2Code.STREAM_CLOSED : Http2Code.FLOW_CONTROL_ERROR);
    }
    const length = to - from;
    if (length < size) this.#streams.consumed(stream, size - length);
    if (stream.contentLeft >= 0) {
      if (length > stream.contentLeft) return this.abort(stream, Http2Code.PROTOCOL_ERROR);
      stream.contentLeft -= length;
    }
    if (ended) return this.#endRequest(stream, bytes, from, to);
    if (length === 0) return this.#spendFrame();
    this.#handler.data(stream, bytes, from, to, false);
  }

  /** Of a stream that is not open. */
  #dataOfNone(id: number, size: number, ended: boolean): void {
    this.#streams.giveBack(size);
    if (this.#streams.isIdle(id)) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    if (this.#streams.wasReset(id)) return this.#afterReset(id, ended);
    this.#refuse(id, Http2Code.STREAM_CLOSED, true);
  }

  /** The peer has sent it before it heard of our reset. */
  #afterReset(id: number, ended: boolean): void {
    if (ended) this.#streams.forgetReset(id);
    this.#spendFrame();
  }

  #endRequest(stream: StreamRecord, bytes: Uint8Array, from: number, to: number): void {
    if (stream.contentLeft > 0) return this.abort(stream, Http2Code.PROTOCOL_ERROR);
    stream.requestEnded = true;
    this.#handler.data(stream, bytes, from, to, true);
  }

  /** RST_STREAM of the peer. */
  reset(bytes: number, id: number): void {
    if (this.#streams.isIdle(id)) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    if (bytes !== 4) return this.#connection.fail(Http2Code.FRAME_SIZE_ERROR);
    const stream = this.#streams.get(id);
    if (stream === undefined) return this.#afterReset(id, true);
    if (this.#mayEnd()) this.#streams.close(stream, false);
  }

  /** Ends an open stream for what the peer has done. */
  abort(stream: StreamRecord, code: number): void {
    if (this.#mayEnd()) this.#responder.reset(stream, code);
  }

  /** Refuses one that is not open. */
  #refuse(id: number, code: number, ended: boolean): void {
    if (this.#mayEnd()) this.#responder.resetId(id, code, ended);
  }

  /** May the peer make one more stream end without a response? If not, the connection ends. */
  #mayEnd(): boolean {
    if (this.#budget.reset()) return true;
    this.#connection.fail(Http2Code.ENHANCE_YOUR_CALM);
    return false;
  }

  #spendFrame(): void {
    if (!this.#budget.frame()) this.#connection.fail(Http2Code.ENHANCE_YOUR_CALM);
  }
}
