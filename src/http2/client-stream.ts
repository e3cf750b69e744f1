/**
 * The client's side of one connection that carries one request, whose body has no planned end (RFC
 * 9113): what is said is framed as the peer's windows allow, and leaves in the same turn. Whatever
 * the peer sends ends in its answer, or in `ended`, once; never in an exception.
 */

import { assert } from '../base/assert.js';
import { KiB } from '../base/bytes.js';
import { Http2Code } from './error-code.js';
import { Flag, FrameType, MAX_FRAME_BYTES, readU16, readU31, readU32 } from './frame.js';
import { FrameReader, PREFACE, type FrameSink } from './frame-reader.js';
import { FrameWriter } from './frame-writer.js';
import { HeaderFragments } from './header-fragments.js';
import { HpackDecoder } from './hpack/decoder.js';
import type { Field } from './hpack/field.js';
import { HpackEncoder } from './hpack/encoder.js';
import type { HeaderList } from './hpack/header-list.js';
import { Keepalive } from './keepalive.js';
import type { Http2Limits } from './limits.js';
import { COPY_MAX_BYTES, Output } from './output.js';
import type { Http2Pool } from './pool.js';
import { SendWindows, type SendWindowed } from './send-windows.js';
import { errorOfSetting, Setting, SETTING_BYTES } from './settings.js';
import type { Carried, Transport } from './transport.js';

/** Of the only stream. */
const ID = 1;
const PING = 1;
/** Framed at a time. */
const FLUSH_AT_BYTES = 256 * KiB;
/** Of the decoded fields of an answer. */
const MAX_LIST_BYTES = 64 * KiB;

export type Fields = ReadonlyMap<string, string>;

/** Who sent the request. None of these may throw. */
export interface ClientStreamOwner {
  /** The peer takes the request, and more of it may come. */
  answered(fields: Fields): void;
  /** Some of what waited has left. */
  room(): void;
  /**
   * Nothing goes either way any more. `fields`: the last of the peer's answer; undefined: the
   * connection was lost.
   */
  ended(fields: Fields | undefined): void;
}

export interface ClientStreamParts {
  readonly transport: Transport;
  readonly pool: Pick<Http2Pool, 'blocks' | 'frames'>;
  readonly limits: Pick<Http2Limits, 'keepaliveMs' | 'keepaliveTimeoutMs'>;
  readonly owner: ClientStreamOwner;
  /** Of the clock. */
  readonly now: number;
}

export class ClientStream implements FrameSink, Carried {
  readonly #transport: Transport;
  readonly #owner: ClientStreamOwner;
  readonly #output: Output;
  readonly #writer: FrameWriter;
  readonly #reader: FrameReader;
  readonly #keepalive: Keepalive;
  readonly #windows = new SendWindows();
  readonly #stream: SendWindowed = { windowOffset: 0 };
  readonly #encoder = new HpackEncoder();
  readonly #decoder = new HpackDecoder();
  readonly #fragments = new HeaderFragments(MAX_LIST_BYTES);
  /** Parts of the body that the windows or the transport hold back, in order. */
  readonly #waiting: Uint8Array[] = [];
  /** Of the first of them, gone. */
  #sent = 0;
  #waitingBytes = 0;
  #full = false;
  #begun = false;
  #answered = false;
  #over = false;

  /** Sends the head of the request. */
  constructor(parts: ClientStreamParts, head: HeaderList) {
    const { transport, pool, limits, owner, now } = parts;
    this.#transport = transport;
    this.#owner = owner;
    this.#output = new Output(pool.blocks);
    this.#writer = new FrameWriter(this.#output);
    this.#reader = new FrameReader(this, pool.frames, 'server');
    this.#keepalive = new Keepalive(limits, now);
    this.#output.payload(PREFACE, 0, PREFACE.length);
    this.#writer.settings([[Setting.ENABLE_PUSH, 0], [Setting.MAX_HEADER_LIST_SIZE, MAX_LIST_BYTES]]);
    this.#writer.headers(ID, this.#encoder.encode(head), false);
    this.#flush();
  }

  /** Of the body, not handed to the transport yet. */
  get waitingBytes(): number {
    return this.#waitingBytes + this.#output.size;
  }

  /** More of the body, which is never changed any more; it leaves with `flush`. */
  write(prefix: Uint8Array, bytes: Uint8Array): void {
    if (this.#over) return;
    const size = prefix.length + bytes.length;
    if (this.#waiting.length === 0 && !this.#full && size <= COPY_MAX_BYTES && size <= this.#windows.room(this.#stream)) {
      this.#windows.take(this.#stream, size);
      this.#writer.data(ID, prefix, bytes);
      return;
    }
    for (const part of [prefix, bytes]) if (part.length > 0) this.#waiting.push(part);
    this.#waitingBytes += size;
  }

  flush(): void {
    if (!this.#over) this.#pump();
  }

  /** Bytes of the peer; they may be overwritten after the return. */
  receive(chunk: Uint8Array): void {
    if (this.#over) return;
    this.#keepalive.heard();
    const read = this.#reader.read(chunk);
    if (read !== 'ok') this.#fail(Http2Code.FRAME_SIZE_ERROR);
    this.#pumpAndTell();
  }

  /** The transport, which had said 'full', wants more again. */
  drained(): void {
    if (this.#over || !this.#full) return;
    this.#keepalive.heard();
    this.#full = false;
    this.#pumpAndTell();
  }

  /** The transport is gone. */
  closed(): void {
    this.#end(undefined);
  }

  /**
   * Several times in `keepaliveMs`. How long a peer may take until its first word is the owner's to
   * say: only silence after that is judged here.
   */
  tick(now: number): void {
    if (this.#over) return;
    if (!this.#begun) this.#keepalive.heard();
    switch (this.#keepalive.tick(now)) {
      case 'ping':
        this.#writer.ping(PING);
        return this.#flush();
      case 'dead':
        return this.#end(undefined);
      case 'alive':
    }
  }

  /** Nobody is told: the owner wants no more of it. */
  cancel(): void {
    if (this.#over) return;
    this.#writer.reset(ID, Http2Code.CANCEL);
    this.#flush();
    this.#close();
  }

  frame(bytes: Uint8Array, from: number, to: number, type: number, flags: number, id: number): void {
    if (this.#over) return;
    const open = this.#fragments.id !== 0;
    if (open !== (type === FrameType.CONTINUATION)) return this.#fail(Http2Code.PROTOCOL_ERROR);
    if (!this.#begun && (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)) return this.#fail(Http2Code.PROTOCOL_ERROR);
    switch (type) {
      case FrameType.SETTINGS:
        return this.#settings(bytes, from, to, flags);
      case FrameType.PING:
        if (to - from !== 8) return this.#fail(Http2Code.FRAME_SIZE_ERROR);
        if ((flags & Flag.ACK) === 0) this.#writer.pingAck(bytes, from);
        return;
      case FrameType.WINDOW_UPDATE:
        return this.#windowUpdate(bytes, from, to, id);
      case FrameType.HEADERS:
        return this.#headers(bytes, from, to, flags, id);
      case FrameType.CONTINUATION:
        return this.#block(bytes, from, to, flags);
      case FrameType.DATA:
        // The answer's body says nothing, and is never given room: it is bounded by the windows.
        if ((flags & Flag.END_STREAM) !== 0) this.#end(undefined);
        return;
      case FrameType.RST_STREAM:
        return this.#end(undefined);
      case FrameType.GOAWAY:
        if (to - from < 8) return this.#fail(Http2Code.FRAME_SIZE_ERROR);
        // What is under way goes on, unless the peer never saw it.
        if (readU31(bytes, from) < ID || readU32(bytes, from + 4) !== Http2Code.NO_ERROR) this.#end(undefined);
        return;
      case FrameType.PUSH_PROMISE:
        return this.#fail(Http2Code.PROTOCOL_ERROR);
      default:
    }
  }

  #settings(bytes: Uint8Array, from: number, to: number, flags: number): void {
    if ((flags & Flag.ACK) !== 0) return;
    if ((to - from) % SETTING_BYTES !== 0) return this.#fail(Http2Code.FRAME_SIZE_ERROR);
    for (let at = from; at < to; at += SETTING_BYTES) {
      const setting = readU16(bytes, at);
      const value = readU32(bytes, at + 2);
      const code = errorOfSetting(setting, value);
      if (code !== Http2Code.NO_ERROR) return this.#fail(code);
      if (setting !== Setting.INITIAL_WINDOW_SIZE) continue;
      if (!this.#windows.setInitial(value, [this.#stream])) return this.#fail(Http2Code.FLOW_CONTROL_ERROR);
    }
    this.#begun = true;
    this.#writer.settingsAck();
  }

  #windowUpdate(bytes: Uint8Array, from: number, to: number, id: number): void {
    if (to - from !== 4) return this.#fail(Http2Code.FRAME_SIZE_ERROR);
    const increment = readU31(bytes, from);
    if (increment === 0) return this.#fail(Http2Code.PROTOCOL_ERROR);
    const fits = id === 0 ? this.#windows.grow(increment) : this.#windows.growStream(this.#stream, increment);
    if (!fits) this.#fail(Http2Code.FLOW_CONTROL_ERROR);
  }

  #headers(bytes: Uint8Array, from: number, to: number, flags: number, id: number): void {
    if (id !== ID) return this.#fail(Http2Code.PROTOCOL_ERROR);
    let start = from;
    let end = to;
    if ((flags & Flag.PADDED) !== 0) {
      if (start === end) return this.#fail(Http2Code.FRAME_SIZE_ERROR);
      end -= bytes[start++] as number;
    }
    if ((flags & Flag.PRIORITY) !== 0) start += 5;
    if (start > end) return this.#fail(Http2Code.PROTOCOL_ERROR);
    this.#fragments.begin(id, (flags & Flag.END_STREAM) !== 0, false);
    this.#block(bytes, start, end, flags);
  }

  #block(bytes: Uint8Array, from: number, to: number, flags: number): void {
    if (!this.#fragments.add(bytes, from, to)) return this.#fail(Http2Code.ENHANCE_YOUR_CALM);
    if ((flags & Flag.END_HEADERS) === 0) return;
    const { endStream } = this.#fragments;
    const block = this.#fragments.take();
    const fields = new Map<string, string>();
    let left = MAX_LIST_BYTES;
    const sink = {
      field: ({ name, value, size }: Field): boolean => {
        left -= size;
        if (left >= 0 && !fields.has(name)) fields.set(name, value);
        return left >= 0;
      },
    };
    if (this.#decoder.decode(block, 0, block.length, sink) === 'broken') return this.#fail(Http2Code.COMPRESSION_ERROR);
    if (endStream) return this.#end(fields);
    if (this.#answered || fields.get(':status')?.startsWith('1') === true) return;
    this.#answered = true;
    this.#owner.answered(fields);
  }

  #pumpAndTell(): void {
    if (this.#over) return;
    const before = this.#waitingBytes;
    this.#pump();
    if (before > this.#waitingBytes) this.#owner.room();
  }

  /** Frames as much as the windows and the transport take. */
  #pump(): void {
    while (!this.#full) {
      const part = this.#waiting[0];
      const room = Math.min(this.#windows.room(this.#stream), MAX_FRAME_BYTES);
      if (part === undefined || room <= 0) return this.#flush();
      const bytes = Math.min(part.length - this.#sent, room);
      this.#windows.take(this.#stream, bytes);
      this.#writer.dataHeader(ID, bytes);
      this.#output.payload(part, this.#sent, this.#sent + bytes);
      this.#sent += bytes;
      this.#waitingBytes -= bytes;
      if (this.#sent === part.length) {
        this.#waiting.shift();
        this.#sent = 0;
      }
      assert(this.#waitingBytes >= 0 && (this.#waiting.length > 0 || this.#waitingBytes === 0), 'what waits is counted');
      if (this.#output.size >= FLUSH_AT_BYTES) this.#flush();
    }
  }

  #flush(): void {
    if (!this.#full && this.#output.size > 0) this.#full = this.#output.writeTo(this.#transport) === 'full';
  }

  #fail(code: number): void {
    if (this.#over) return;
    this.#writer.goaway(0, code);
    this.#flush();
    this.#end(undefined);
  }

  #end(fields: Fields | undefined): void {
    if (this.#over) return;
    this.#close();
    this.#owner.ended(fields);
  }

  #close(): void {
    this.#over = true;
    this.#reader.end();
    this.#output.drop();
    this.#waiting.length = 0;
    this.#waitingBytes = 0;
    this.#sent = 0;
    this.#transport.destroy();
  }
}
