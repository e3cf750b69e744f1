/**
 * What a client has said, stream by stream and in order: what a permission for a difference may go
 * by. It follows the client's frames alone and knows nothing of what either server made of them.
 */

import { PlainDecoder, type Pair } from '../../hpack/testing/plain-hpack.js';
import { F, T, type Frame } from '../frames.js';

export const MAX_WINDOW = 0x7fff_ffff;
const INITIAL_WINDOW = 65_535;

/** Something that changes what may be sent on a stream, and when it was said. */
interface Update {
  readonly at: number;
  readonly bytes: number;
}

/** Frames of one stream; `at` is the place of a frame in the session. */
export class StreamTrace {
  readonly id: number;
  /** Of the first header block; undefined: it has not ended, or cannot be decoded. */
  fields: readonly Pair[] | undefined = undefined;
  /** Of a later one. */
  trailers: readonly Pair[] | undefined = undefined;
  headersAt = Infinity;
  /** A header block of it is the last of the session, and has not ended. */
  openBlock = false;
  /** The request has ended. */
  endedAt = Infinity;
  /** The client has reset it. */
  resetAt = Infinity;
  /** HEADERS or DATA came after END_STREAM or RST_STREAM, or to an id that was passed over. */
  usedClosedAt = Infinity;
  /** Bytes of DATA that came before the client took our settings. */
  bytesBeforeAck = 0;
  /** Bytes of the body. */
  bodyBytes = 0;
  readonly updates: Update[] = [];

  constructor(id: number) {
    this.id = id;
  }

  values(name: string): string[] {
    return (this.fields ?? []).filter(([known]) => known === name).map(([, value]) => value);
  }
}

export class Trace {
  readonly streams = new Map<number, StreamTrace>();
  /** GOAWAYs of the right form. */
  goaways = 0;
  settingsAcks = 0;
  pingAcks = 0;
  /** Most CONTINUATIONs in a row. */
  continuations = 0;
  /** The id of a frame of which only a header and a part have come; undefined: there is none. */
  readonly unfinished: number | undefined;
  /** The bytes that it says it has. */
  readonly unfinishedBytes: number;
  /** DATA frames that say that they have more padding than bytes: their streams. */
  readonly overPadded: number[] = [];
  /** PRIORITY frames of a wrong size: their streams. */
  readonly oddPriorities: number[] = [];
  readonly #settings: { readonly at: number; readonly id: number; readonly value: number }[] = [];
  readonly #decoder = new PlainDecoder();
  #block: { stream: StreamTrace; parts: Buffer[] } | undefined = undefined;
  #broken = false;
  #lastId = 0;
  #granted = INITIAL_WINDOW;

  constructor(frames: readonly Frame[], rest: Buffer) {
    this.unfinished = rest.length >= 9 ? rest.readUInt32BE(5) & MAX_WINDOW : undefined;
    this.unfinishedBytes = rest.length >= 9 ? rest.readUIntBE(0, 3) : 0;
    let row = 0;
    frames.forEach((frame, at) => {
      row = frame.type === T.CONTINUATION ? row + 1 : 0;
      this.continuations = Math.max(this.continuations, row);
      this.#frame(frame, at);
    });
    if (this.#block !== undefined) this.#block.stream.openBlock = true;
  }

  /** Values of a setting. */
  settings(id: number): number[] {
    return this.#settings.filter((one) => one.id === id).map(({ value }) => value);
  }

  /** DATA that the client takes at once for all streams. */
  get connectionWindow(): number {
    return this.#granted;
  }

  /** Bytes of all answers, each with so many before its body. */
  requestedBytes(prefix: number): number {
    return [...this.streams.values()].reduce((sum, { bodyBytes }) => sum + bodyBytes + prefix, 0);
  }

  /** DATA that the client takes on a stream in the end, if it took none. */
  windowOf({ updates }: StreamTrace): number {
    return (this.settings(4).at(-1) ?? INITIAL_WINDOW) + updates.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** A frame after `at` makes the windows of streams smaller. */
  shrinksAfter(at: number): boolean {
    let window = INITIAL_WINDOW;
    return this.#settings.some((one) => {
      if (one.id !== 4) return false;
      const shrinks = one.value < window && one.at > at;
      window = one.value;
      return shrinks;
    });
  }

  /** The largest window that a stream has at any time, nothing being sent. */
  widestOf({ updates }: StreamTrace): number {
    return Math.max(INITIAL_WINDOW, ...this.settings(4)) + updates.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #of(id: number): StreamTrace {
    const known = this.streams.get(id) ?? new StreamTrace(id);
    this.streams.set(id, known);
    return known;
  }

  #frame(frame: Frame, at: number): void {
    const { type, flags, payload } = frame;
    const id = frame.id & MAX_WINDOW;
    switch (type) {
      case T.HEADERS:
      case T.CONTINUATION:
        return this.#headers(frame, id, at);
      case T.DATA:
        return this.#data(this.#of(id), flags, payload, at);
      case T.RST_STREAM:
        this.#of(id).resetAt = Math.min(this.#of(id).resetAt, at);
        return;
      case T.PRIORITY:
        if (payload.length !== 5) this.oddPriorities.push(id);
        return;
      case T.SETTINGS:
        if ((flags & F.ACK) !== 0) this.settingsAcks++;
        else this.#set(payload, at);
        return;
      case T.PING:
        if ((flags & F.ACK) !== 0) this.pingAcks++;
        return;
      case T.GOAWAY:
        if (id === 0 && payload.length >= 8) this.goaways++;
        return;
      case T.WINDOW_UPDATE:
        this.#update(id, payload, at);
    }
  }

  #set(payload: Buffer, at: number): void {
    for (let i = 0; i + 6 <= payload.length; i += 6) {
      this.#settings.push({ at, id: payload.readUInt16BE(i), value: payload.readUInt32BE(i + 2) });
    }
  }

  #update(id: number, payload: Buffer, at: number): void {
    if (payload.length !== 4) return;
    const bytes = payload.readUInt32BE(0) & MAX_WINDOW;
    if (id === 0) this.#granted += bytes;
    else this.#of(id).updates.push({ at, bytes });
  }

  #data(stream: StreamTrace, flags: number, payload: Buffer, at: number): void {
    const pad = (flags & F.PADDED) !== 0 ? 1 + (payload[0] ?? 0) : 0;
    this.#uses(stream, at);
    if (pad > payload.length) this.overPadded.push(stream.id);
    stream.bodyBytes += Math.max(0, payload.length - pad);
    if (this.settingsAcks === 0) stream.bytesBeforeAck += payload.length;
    if ((flags & F.END_STREAM) !== 0) stream.endedAt = Math.min(stream.endedAt, at);
  }

  #uses(stream: StreamTrace, at: number): void {
    const passedOver = stream.headersAt === Infinity && stream.id <= this.#lastId;
    if (passedOver || stream.endedAt < at || stream.resetAt < at) stream.usedClosedAt = Math.min(stream.usedClosedAt, at);
  }

  #headers({ type, flags, payload }: Frame, id: number, at: number): void {
    let part = payload;
    if (type === T.HEADERS) {
      const stream = this.#of(id);
      this.#uses(stream, at);
      stream.headersAt = Math.min(stream.headersAt, at);
      this.#lastId = Math.max(this.#lastId, id);
      if ((flags & F.END_STREAM) !== 0) stream.endedAt = Math.min(stream.endedAt, at);
      if ((flags & F.PADDED) !== 0) part = part.subarray(1, Math.max(1, part.length - (part[0] ?? 0)));
      if ((flags & F.PRIORITY) !== 0) part = part.subarray(5);
      this.#block = { stream, parts: [] };
    }
    const block = this.#block;
    if (block === undefined) return;
    block.parts.push(part);
    if ((flags & F.END_HEADERS) === 0) return;
    this.#block = undefined;
    if (this.#broken) return;
    try {
      const fields = this.#decoder.decode(Buffer.concat(block.parts));
      block.stream.fields ??= fields;
      block.stream.trailers = block.stream.fields === fields ? undefined : fields;
    } catch {
      this.#broken = true;
    }
  }
}
