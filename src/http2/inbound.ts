/**
 * Every frame that arrives, to where it belongs; what concerns the whole connection is handled here
 * (RFC 9113, 6). Frames that are of no use to the client are paid for from its budget. Unknown
 * frames, priorities and the reserved bit mean nothing.
 */

import type { ConnectionControl } from './connection-control.js';
import { Http2Code } from './error-code.js';
import type { FloodBudget } from './flood-budget.js';
import { Flag, FrameType, readU16, readU31, readU32 } from './frame.js';
import type { FrameSink } from './frame-reader.js';
import type { FrameWriter } from './frame-writer.js';
import type { Handshake } from './handshake.js';
import type { HpackEncoder } from './hpack/encoder.js';
import type { Outlet } from './outlet.js';
import type { RequestReader } from './request-reader.js';
import type { Responder } from './responder.js';
import type { SendWindows } from './send-windows.js';
import { errorOfSetting, Setting, SETTING_BYTES } from './settings.js';
import type { Streams } from './streams.js';

/** What SETTINGS cost beyond the frame; every so many settings and open streams cost one more. */
const SETTINGS_COST = 16;
const SETTINGS_PER_COST = 8;
const STREAMS_PER_COST = 64;

export interface InboundParts {
  readonly connection: ConnectionControl;
  readonly requests: RequestReader;
  readonly streams: Streams;
  readonly responder: Responder;
  readonly windows: SendWindows;
  readonly encoder: HpackEncoder;
  readonly writer: FrameWriter;
  readonly outlet: Outlet;
  readonly budget: FloodBudget;
  readonly handshake: Handshake;
}

export class Inbound implements FrameSink {
  readonly #connection: ConnectionControl;
  readonly #requests: RequestReader;
  readonly #streams: Streams;
  readonly #responder: Responder;
  readonly #windows: SendWindows;
  readonly #encoder: HpackEncoder;
  readonly #writer: FrameWriter;
  readonly #outlet: Outlet;
  readonly #budget: FloodBudget;
  readonly #handshake: Handshake;

  constructor(parts: InboundParts) {
    this.#connection = parts.connection;
    this.#requests = parts.requests;
    this.#streams = parts.streams;
    this.#responder = parts.responder;
    this.#windows = parts.windows;
    this.#encoder = parts.encoder;
    this.#writer = parts.writer;
    this.#outlet = parts.outlet;
    this.#budget = parts.budget;
    this.#handshake = parts.handshake;
  }

  frame(bytes: Uint8Array, from: number, to: number, type: number, flags: number, id: number): void {
    const { openBlock } = this.#requests;
    if (openBlock !== 0 ? type !== FrameType.CONTINUATION || id !== openBlock : type === FrameType.CONTINUATION) {
      return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    }
    if (!this.#handshake.begun && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) {
      return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    }
    switch (type) {
      case FrameType.DATA:
        return this.#requests.data(bytes, from, to, flags, id);
      case FrameType.HEADERS:
        return this.#requests.headers(bytes, from, to, flags, id);
      case FrameType.CONTINUATION:
        return this.#requests.continuation(bytes, from, to, flags);
      case FrameType.RST_STREAM:
        return this.#requests.reset(to - from, id);
      case FrameType.PUSH_PROMISE:
        return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
      default:
        if (!this.#budget.frame()) return this.#connection.fail(Http2Code.ENHANCE_YOUR_CALM);
        return this.#control(bytes, from, to, type, flags, id);
    }
  }

  #control(bytes: Uint8Array, from: number, to: number, type: number, flags: number, id: number): void {
    switch (type) {
      case FrameType.PRIORITY:
        return this.#priority(bytes, from, to, id);
      case FrameType.SETTINGS:
        return this.#settings(bytes, from, to, flags, id);
      case FrameType.PING:
        return this.#ping(bytes, from, to, flags, id);
      case FrameType.GOAWAY:
        // The client opens no more streams; those that it has are served.
        if (id !== 0) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
        if (to - from < 8) this.#connection.fail(Http2Code.FRAME_SIZE_ERROR);
        return;
      case FrameType.WINDOW_UPDATE:
        return this.#windowUpdate(bytes, from, to, id);
      default:
    }
  }

  /** Only its form is looked at (RFC 9113, 5.3.2 and 6.3; RFC 7540, 5.3.1). */
  #priority(bytes: Uint8Array, from: number, to: number, id: number): void {
    if (id === 0) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    let code: number = Http2Code.NO_ERROR;
    if (to - from !== 5) code = Http2Code.FRAME_SIZE_ERROR;
    else if (readU31(bytes, from) === id) code = Http2Code.PROTOCOL_ERROR;
    if (code === Http2Code.NO_ERROR) return;
    const stream = this.#streams.get(id);
    if (stream === undefined) this.#connection.fail(code);
    else this.#requests.abort(stream, code);
  }

  #settings(bytes: Uint8Array, from: number, to: number, flags: number, id: number): void {
    if (id !== 0) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    if ((flags & Flag.ACK) !== 0) {
      if (from !== to) return this.#connection.fail(Http2Code.FRAME_SIZE_ERROR);
      return this.#handshake.acknowledge();
    }
    const settings = (to - from) / SETTING_BYTES;
    if (!Number.isInteger(settings)) return this.#connection.fail(Http2Code.FRAME_SIZE_ERROR);
    const cost = SETTINGS_COST + Math.ceil(settings / SETTINGS_PER_COST) + Math.ceil(this.#streams.open / STREAMS_PER_COST);
    if (!this.#budget.frame(cost)) return this.#connection.fail(Http2Code.ENHANCE_YOUR_CALM);
    const code = this.#apply(bytes, from, to);
    if (code !== Http2Code.NO_ERROR) return this.#connection.fail(code);
    this.#handshake.settings();
    this.#writer.settingsAck();
    this.#outlet.wake();
    this.#responder.pump();
  }

  /** NO_ERROR, or what is wrong. Of a setting that is there twice the last value counts. */
  #apply(bytes: Uint8Array, from: number, to: number): number {
    let initialWindow = -1;
    for (let at = from; at < to; at += SETTING_BYTES) {
      const setting = readU16(bytes, at);
      const value = readU32(bytes, at + 2);
      const code = errorOfSetting(setting, value);
      if (code !== Http2Code.NO_ERROR) return code;
      if (setting === Setting.HEADER_TABLE_SIZE) this.#encoder.setPeerTableBytes(value);
      else if (setting === Setting.INITIAL_WINDOW_SIZE) initialWindow = value;
    }
    if (initialWindow < 0) return Http2Code.NO_ERROR;
    const open = this.#streams.all();
    if (!this.#windows.setInitial(initialWindow, open)) return Http2Code.FLOW_CONTROL_ERROR;
    for (const stream of open) this.#responder.unblock(stream);
    return Http2Code.NO_ERROR;
  }

  #ping(bytes: Uint8Array, from: number, to: number, flags: number, id: number): void {
    if (id !== 0) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    if (to - from !== 8) return this.#connection.fail(Http2Code.FRAME_SIZE_ERROR);
    if ((flags & Flag.ACK) !== 0) return this.#connection.pingAnswered(readU32(bytes, from + 4));
    this.#writer.pingAck(bytes, from);
    this.#outlet.wake();
  }

  #windowUpdate(bytes: Uint8Array, from: number, to: number, id: number): void {
    if (to - from !== 4) return this.#connection.fail(Http2Code.FRAME_SIZE_ERROR);
    const increment = readU31(bytes, from);
    if (id === 0) {
      if (increment === 0) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
      if (!this.#windows.grow(increment)) return this.#connection.fail(Http2Code.FLOW_CONTROL_ERROR);
      return this.#responder.pump();
    }
    if (this.#streams.isIdle(id)) return this.#connection.fail(Http2Code.PROTOCOL_ERROR);
    const stream = this.#streams.get(id);
    if (stream === undefined) return;
    if (increment === 0) return this.#requests.abort(stream, Http2Code.PROTOCOL_ERROR);
    if (!this.#windows.growStream(stream, increment)) return this.#requests.abort(stream, Http2Code.FLOW_CONTROL_ERROR);
    this.#responder.unblock(stream);
    this.#responder.pump();
  }
}
