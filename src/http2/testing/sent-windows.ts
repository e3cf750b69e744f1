/**
 * The windows that a client has given to a server (RFC 9113, 6.9), kept from the bytes of both
 * directions. They are as wide as the server may believe: what grows is counted when it is sent, an
 * initial window that shrinks when the server has acknowledged it.
 */

import assert from 'node:assert/strict';
import { F, T, parseFrames, type Frame } from './frames.js';

const PREFACE_BYTES = 24;

export class SentWindows {
  connection = 65_535;
  #initial = 65_535;
  /** Initial windows that were sent and not acknowledged; undefined: SETTINGS without one. */
  readonly #unacknowledged: (number | undefined)[] = [];
  /** By how much that of a stream differs from the initial one. */
  readonly #streams = new Map<number, number>();
  #sawPreface = false;
  #rest: Buffer = Buffer.alloc(0);

  ofStream(id: number): number {
    return this.#initial + (this.#streams.get(id) ?? 0);
  }

  /** Bytes of the client, whole frames or not; what is no frame must not be followed. */
  sent(chunk: Uint8Array): void {
    let bytes = Buffer.concat([this.#rest, chunk]);
    if (!this.#sawPreface && bytes.length >= PREFACE_BYTES) {
      this.#sawPreface = true;
      bytes = bytes.subarray(PREFACE_BYTES);
    }
    if (!this.#sawPreface) {
      this.#rest = bytes;
      return;
    }
    const { frames, rest } = parseFrames(bytes);
    this.#rest = Buffer.from(rest);
    for (const frame of frames) this.#sent(frame);
  }

  #sent({ type, flags, id, payload }: Frame): void {
    if (type === T.WINDOW_UPDATE && payload.length === 4) {
      const increment = payload.readUInt32BE(0) & 0x7fff_ffff;
      if (id === 0) this.connection += increment;
      else this.#add(id, increment);
    }
    if (type !== T.SETTINGS || (flags & F.ACK) !== 0 || payload.length % 6 !== 0) return;
    let initial: number | undefined;
    for (let at = 0; at < payload.length; at += 6) if (payload.readUInt16BE(at) === 4) initial = payload.readUInt32BE(at + 2);
    this.#unacknowledged.push(initial);
    if (initial !== undefined && initial > this.#initial) this.#initial = initial;
  }

  /** A frame of the server. */
  came({ type, flags, id, payload }: Frame): void {
    if (type === T.SETTINGS && (flags & F.ACK) !== 0) {
      assert.ok(this.#unacknowledged.length > 0, 'only what was sent is acknowledged');
      const initial = this.#unacknowledged.shift();
      if (initial === undefined) return;
      // A larger one on its way may be in force already.
      this.#initial = Math.max(initial, ...this.#unacknowledged.filter((value) => value !== undefined));
    }
    if (type !== T.DATA) return;
    this.connection -= payload.length;
    this.#add(id, -payload.length);
    assert.ok(this.connection >= 0, `the connection's window is exceeded by ${-this.connection}`);
    assert.ok(payload.length === 0 || this.ofStream(id) >= 0, `the window of stream ${id} is exceeded by ${-this.ofStream(id)}`);
  }

  #add(id: number, increment: number): void {
    this.#streams.set(id, (this.#streams.get(id) ?? 0) + increment);
  }
}
