/**
 * Sessions of a client from a seed: valid ones, made of frames that interleave in every way that is
 * allowed, and then broken a little. Most of a broken session still makes sense, so that what comes
 * after the fault is looked at too.
 */

import type { Random } from '../../../base/env.js';
import { PlainEncoder, type Choice, type Pair } from '../../hpack/testing/plain-hpack.js';
import { F, PREFACE, T, frame, parseFrames, u32, type Frame } from '../frames.js';

export interface Session {
  readonly bytes: Buffer;
  /** Without any fault: all must be answered. */
  readonly valid: boolean;
}

/** One request on its way: its frames come in this order, with those of others between them. */
type Lane = Frame[][];

const NAMES = ['te', 'content-type', 'user-agent', 'grpc-timeout', 'x-a', 'x-long-name-of-a-field', 'grpc-encoding', 'key-bin', 'cookie', 'accept'];
const ODD_NAMES = ['X-Upper', 'connection', 'te', ':odd', ':path', 'transfer-encoding', '', 'a b', 'content-length', 'x\u0000', ':status', 'host'];
const ODD_VALUES = ['\n', ' blank ', '\u0000', 'gzip', '\u00ff', '', 'trailers', '7', '-1', 'x'.repeat(5_000)];
const FRAME_TYPES = [...Object.values(T), 10, 0x42, 255];
const ODD_NUMBERS = [0, 1, 65_535, 65_536, 16_383, 16_384, 16_777_215, 16_777_216, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff];

export class SessionMaker {
  readonly #dice: Random;
  readonly #recorded: readonly Buffer[];
  #encoder = new PlainEncoder();
  #lastId = -1;

  /** `recorded`: sessions of real clients, which are broken in their turn. */
  constructor(dice: Random, recorded: readonly Buffer[] = []) {
    this.#dice = dice;
    this.#recorded = recorded;
  }

  next(): Session {
    this.#encoder = new PlainEncoder();
    this.#lastId = -1;
    if (this.#recorded.length > 0 && this.#one(8)) return this.#breakRecorded();
    const frames = this.#interleave();
    if (this.#one(3)) return { bytes: this.#join(frames), valid: true };
    for (let faults = 1 + this.#below(3); faults > 0; faults--) this.#breakFrames(frames);
    const bytes = this.#join(frames);
    if (this.#one(4)) this.#flip(bytes);
    return { bytes, valid: false };
  }

  /** Where a session is cut into chunks: lengths, taken in turn. */
  cuts(): number[] {
    const sizes = [1, 2, 9, 10, 100, 1_000, 16_393, 65_536];
    return Array.from({ length: 1 + this.#below(4) }, () => this.#some(sizes) + this.#below(3));
  }

  #below(bound: number): number {
    return this.#dice.below(bound);
  }

  #one(of: number): boolean {
    return this.#below(of) === 0;
  }

  #some<X>(of: readonly X[]): X {
    return of[this.#below(of.length)] as X;
  }

  #join(frames: readonly Frame[]): Buffer {
    return Buffer.concat([PREFACE, ...frames.map(({ type, flags, id, payload }) => frame(type, flags, id, payload))]);
  }

  #choice(): Choice {
    return {
      indexed: !this.#one(4), nameIndexed: !this.#one(4), huffman: !this.#one(3),
      literal: this.#some(['remembered', 'remembered', 'forgotten', 'never indexed'] as const),
    };
  }

  #settings(): Frame {
    const pairs: (readonly [number, number])[] = [];
    if (this.#one(3)) pairs.push([4, this.#some([0, 1, 100, 65_535, 1_000_000])]);
    if (this.#one(4)) pairs.push([1, this.#some([0, 32, 100, 4_096, 65_536])]);
    if (this.#one(4)) pairs.push([this.#some([3, 6, 8, 99]), this.#below(2)]);
    if (this.#one(5)) pairs.push([5, 16_384 + this.#below(1_000)]);
    const payload = Buffer.concat(pairs.map(([id, value]) => Buffer.concat([Buffer.from([id >> 8, id]), u32(value)])));
    return { type: T.SETTINGS, flags: 0, id: 0, payload };
  }

  /** The frames that the connection may have at any time. */
  #between(): Frame {
    switch (this.#below(5)) {
      case 0:
        return { type: T.PING, flags: 0, id: 0, payload: Buffer.from(Array.from({ length: 8 }, () => this.#below(256))) };
      case 1:
        return { type: T.WINDOW_UPDATE, flags: 0, id: 0, payload: u32(1 + this.#below(100_000)) };
      case 2:
        return this.#settings();
      case 3:
        return { type: T.PRIORITY, flags: 0, id: 1 + 2 * this.#below(30), payload: Buffer.from([0, 0, 0, 0, this.#below(256)]) };
      default:
        return { type: 0x42 + this.#below(9), flags: this.#below(256), id: this.#below(4), payload: Buffer.alloc(this.#below(30)) };
    }
  }

  #fields(length: number): Pair[] {
    const fields: Pair[] = [
      [':method', this.#some(['POST', 'POST', 'GET'])], [':scheme', this.#some(['http', 'https'])],
      [':path', this.#some(['/', '/a', '/t.T/Unary', '/x?y'])], [':authority', this.#some(['localhost', '127.0.0.1:2379', 'a.b:1'])],
    ];
    if (this.#one(3)) fields.sort(() => this.#below(3) - 1);
    for (let n = this.#below(6); n > 0; n--) {
      const name = this.#some(NAMES);
      const value = name === 'te' ? 'trailers' : this.#some(['', 'a', 'application/grpc', '10S', 'x'.repeat(this.#below(300))]);
      if (fields.every(([known]) => known !== name)) fields.push([name, value]);
    }
    if (this.#one(4)) fields.push(['content-length', String(length)]);
    return fields;
  }

  #padded(type: number, flags: number, id: number, payload: Uint8Array): Frame {
    if (!this.#one(6) || payload.length > 16_000) return { type, flags, id, payload: Buffer.from(payload) };
    const pad = this.#below(256);
    return { type, flags: flags | F.PADDED, id, payload: Buffer.concat([Buffer.from([pad]), payload, Buffer.alloc(pad)]) };
  }

  /** A header block in one frame or many, which stay together. */
  #block(id: number, fields: readonly Pair[], end: boolean): Frame[] {
    const block = Buffer.from(fields.flatMap((field) => this.#encoder.field(field, this.#choice())));
    const resized = this.#one(10) ? Buffer.from(this.#encoder.resize(this.#encoder.table.capacity)) : Buffer.alloc(0);
    const bytes = Buffer.concat([resized, block]);
    const flags = end ? F.END_STREAM : 0;
    const first = this.#one(5) ? this.#below(bytes.length + 1) : bytes.length;
    const priority = this.#one(6);
    const content = Buffer.concat([priority ? Buffer.concat([u32(0), Buffer.from([15])]) : Buffer.alloc(0), bytes.subarray(0, first)]);
    const whole = first === bytes.length && !this.#one(20);
    const frames = [this.#padded(T.HEADERS, flags | (priority ? F.PRIORITY : 0) | (whole ? F.END_HEADERS : 0), id, content)];
    let at = first;
    while (!whole) {
      const size = this.#one(2) ? bytes.length - at : this.#below(bytes.length - at + 1);
      at += size;
      const last = at === bytes.length;
      frames.push({ type: T.CONTINUATION, flags: last ? F.END_HEADERS : 0, id, payload: bytes.subarray(at - size, at) });
      if (last) break;
    }
    return frames;
  }

  #request(): Lane {
    const id = (this.#lastId += this.#one(10) ? 4 : 2);
    const size = this.#some([0, 0, 1, 5, 100, 3_000, 20_000, 70_000]);
    const body = Buffer.alloc(size, id);
    const lane: Lane = [this.#block(id, this.#fields(size), size === 0 && !this.#one(4))];
    if ((lane[0]?.[0]?.flags ?? 0) & F.END_STREAM) return lane;
    const trailers = this.#one(6);
    let at = 0;
    do {
      const part = Math.min(size - at, this.#some([16_000, 16_000, 1_000, 500 + this.#below(500)]));
      at += part;
      const end = at === size && !trailers;
      lane.push([this.#padded(T.DATA, end ? F.END_STREAM : 0, id, body.subarray(at - part, at))]);
    } while (at < size);
    if (trailers) lane.push(this.#block(id, [['x-t', 'u']], true));
    if (this.#one(3)) lane.push([{ type: T.WINDOW_UPDATE, flags: 0, id, payload: u32(1 + this.#below(100_000)) }]);
    if (!trailers && this.#one(12)) {
      const reset = { type: T.RST_STREAM, flags: 0, id, payload: u32(this.#below(14)) };
      lane.splice(1 + this.#below(lane.length), lane.length, [reset]);
    }
    return lane;
  }

  /**
   * Requests begin in the order of their ids, and header blocks are encoded in the order in which
   * they go out; so each lane is made when its first frames go out, and only its rest waits.
   */
  #interleave(): Frame[] {
    const frames: Frame[] = [
      this.#settings(), { type: T.WINDOW_UPDATE, flags: 0, id: 0, payload: u32(0x1000_0000) },
      { type: T.SETTINGS, flags: F.ACK, id: 0, payload: Buffer.alloc(0) },
    ];
    const open: Lane[] = [];
    for (let left = 1 + this.#below(12); left > 0 || open.length > 0; ) {
      if (this.#one(6)) frames.push(this.#between());
      if (left > 0 && (open.length === 0 || this.#one(3))) {
        left--;
        const lane = this.#request();
        // Trailers are in the encoder's table already: nothing may be encoded before they are out.
        const whole = lane.flat().filter(({ type }) => type === T.HEADERS).length > 1;
        frames.push(...(whole ? lane.flat() : (lane[0] ?? [])));
        if (!whole && lane.length > 1) open.push(lane.slice(1));
        continue;
      }
      const at = this.#below(open.length);
      const lane = open[at];
      const next = lane?.shift();
      if (next !== undefined) frames.push(...next);
      if (lane === undefined || lane.length === 0) open.splice(at, 1);
    }
    return frames;
  }

  #breakRecorded(): Session {
    const recorded = this.#some(this.#recorded);
    const { frames } = parseFrames(recorded.subarray(PREFACE.length));
    const kept = frames.filter(({ type }) => type !== T.GOAWAY).slice(0, 20 + this.#below(60));
    this.#lastId = Math.max(...kept.map(({ id }) => id));
    this.#breakFrames(kept);
    return { bytes: this.#join(kept), valid: false };
  }

  #breakFrames(frames: Frame[]): void {
    const at = this.#below(frames.length + 1);
    const here = frames[Math.min(at, frames.length - 1)] as Frame;
    const change = (to: Partial<Frame>): void => void frames.splice(frames.indexOf(here), 1, { ...here, ...to });
    switch (this.#below(12)) {
      case 0:
        return void frames.splice(at, 1);
      case 1:
        return void frames.splice(at, 0, here);
      case 2:
        return void frames.splice(this.#below(frames.length + 1), 0, ...frames.splice(at, 1));
      case 3:
        return change({ flags: here.flags ^ (1 << this.#below(8)) });
      case 4:
        return change({ id: this.#some([0, 1, 2, here.id + 2, this.#lastId, this.#lastId + 2, 0x7fff_ffff, 1 + 2 * this.#below(20)]) });
      case 5:
        return change({ type: this.#some(FRAME_TYPES) });
      case 6:
        return change({ payload: here.payload.subarray(0, this.#below(here.payload.length + 1)) });
      case 7:
        return change({ payload: Buffer.concat([here.payload, Buffer.alloc(1 + this.#below(20), this.#below(256))]) });
      case 8: {
        const payload = Buffer.from(here.payload);
        if (payload.length > 0) payload[this.#below(payload.length)] = this.#below(256);
        return change({ payload });
      }
      case 9:
        return void frames.splice(at, 0, this.#hostile());
      case 10:
        return void frames.splice(at, 0, ...this.#oddRequest());
      default:
        return void frames.splice(at, 0, this.#anyFrame());
    }
  }

  #anyFrame(): Frame {
    const payload = Buffer.alloc(this.#below(20));
    return { type: this.#some(FRAME_TYPES), flags: this.#below(256), id: this.#below(this.#lastId + 4), payload };
  }

  #hostile(): Frame {
    const number = u32(this.#some(ODD_NUMBERS));
    switch (this.#below(5)) {
      case 0:
        return { type: T.WINDOW_UPDATE, flags: 0, id: this.#one(2) ? 0 : Math.max(1, this.#lastId), payload: number };
      case 1:
        return { type: T.SETTINGS, flags: 0, id: 0, payload: Buffer.concat([Buffer.from([0, 1 + this.#below(8)]), number]) };
      case 2:
        return { type: T.RST_STREAM, flags: 0, id: 1 + this.#below(this.#lastId + 4), payload: number };
      case 3:
        return { type: T.PRIORITY, flags: 0, id: 1 + this.#below(20), payload: Buffer.concat([number, Buffer.from([1])]) };
      default:
        return { type: T.PING, flags: this.#below(2), id: this.#below(2), payload: Buffer.alloc(7 + this.#below(3)) };
    }
  }

  /** A request whose fields are not as they should be, of a new stream behind all others. */
  #oddRequest(): Frame[] {
    this.#lastId += 2;
    const fields = this.#fields(0).filter(() => !this.#one(8));
    fields.splice(this.#below(fields.length + 1), 0, [this.#some(ODD_NAMES), this.#some(ODD_VALUES)]);
    return this.#block(this.#lastId, fields, true);
  }

  #flip(bytes: Buffer): void {
    for (let n = 1 + this.#below(3); n > 0; n--) bytes[this.#below(bytes.length)] = this.#below(256);
  }
}
