/**
 * Who begins a handshake of TLS (or of HTTP/2, on a port without), and when. It costs up to a
 * millisecond of the event loop, which others need, and anybody who can reach the port may ask for
 * one. So a handshake begins only with a whole first record of it, and they have a share of the
 * time together: after each one the next waits three times as long as that one took. Who says
 * nothing, or half a record, costs a connection and no more.
 *
 * Those that have not come to an end are bounded in number and time (GHSA-6vch-q96h-7gc3). Above
 * the bound the oldest goes of those that have not said anything whole, as whoever means it says so
 * at once; then the oldest that has begun and does not go on; who waits for a turn is not sent away
 * for those that come after him.
 */

import type { Socket } from 'node:net';
import type { Clock, Timer } from '../../base/env.js';

/** Of one port at a time. */
export const MAX_HANDSHAKES = 512;
/** Of the time of the event loop, to those that begin. */
const SHARE = 0.25;
/** The longest that one waits for the one before, once both are whole. */
const MAX_PAUSE_MS = 20;
/** How often it is looked who has run out of time. */
const LOOK_MS = 500;
const RECORD_HEAD = 5;
const HANDSHAKE_RECORD = 22;
/** RFC 8446, 5.1: of a record that is not encrypted. */
const MAX_RECORD = 2 ** 14;

export interface GateTimes {
  readonly clock: Clock;
  /** From the connection to the end of the handshake. */
  readonly handshakeMs: number;
}

export class HelloGate {
  readonly #clock: Clock;
  readonly #handshakeMs: number;
  readonly #begin: (socket: Socket, said: Buffer) => void;
  readonly #late: (socket: Socket) => void;
  readonly #isWhole: (said: Buffer) => boolean;
  // The oldest first, with the time since when they are connected.
  readonly #silent = new Map<Socket, number>();
  readonly #waiting = new Map<Socket, { readonly since: number; readonly said: Buffer }>();
  /** By where they are connected from. Who is connected through a file is known by nothing. */
  readonly #begun = new Map<string, { readonly socket: Socket; readonly since: number }>();
  /** Not before then does the next one begin. */
  #freeAt = -Infinity;
  #next: Timer | undefined;
  #look: Timer | undefined;
  #closed = false;

  /**
   * `begin` is told of those whose turn it is: what they have `said` lies unread, and has cost what
   * it costs when the next tick comes. `late` sends away who has had his time. `isWhole`: enough
   * was said to begin, or what never will be enough; if not given, a whole first record of TLS.
   */
  constructor(
    { clock, handshakeMs }: GateTimes, begin: (socket: Socket, said: Buffer) => void, late: (socket: Socket) => void,
    isWhole = isWholeRecord,
  ) {
    this.#clock = clock;
    this.#handshakeMs = handshakeMs;
    this.#begin = begin;
    this.#late = late;
    this.#isWhole = isWhole;
  }

  /** Somebody has just connected. */
  take(socket: Socket): void {
    const since = this.#clock.now();
    const place = placeOf(socket);
    socket.on('error', () => undefined).on('close', () => this.#gone(socket, place));
    if (this.#closed) return void socket.destroy();
    this.#silent.set(socket, since);
    if (this.#count > MAX_HANDSHAKES) this.#oldest()?.destroy();
    this.#look ??= this.#lookLater();
    let said: Buffer = Buffer.alloc(0);
    const onReadable = (): void => {
      for (let chunk = read(socket); chunk !== null; chunk = read(socket)) said = said.length === 0 ? chunk : Buffer.concat([said, chunk]);
      if (!this.#isWhole(said) || !this.#silent.delete(socket)) return;
      socket.off('readable', onReadable).off('end', onEnd);
      socket.unshift(said);
      this.#waiting.set(socket, { since, said });
      this.#pump();
    };
    const onEnd = (): void => void socket.destroy();
    socket.on('readable', onReadable).on('end', onEnd);
  }

  /** Whoever is connected from there has finished the handshake. */
  ended(place: string): void {
    this.#begun.delete(place);
  }

  /** Nobody begins any more. */
  close(): void {
    this.#closed = true;
    for (const socket of [...this.#silent.keys(), ...this.#waiting.keys()]) socket.destroy();
    this.#next?.cancel();
    this.#look?.cancel();
  }

  get #count(): number {
    return this.#silent.size + this.#waiting.size + this.#begun.size;
  }

  #oldest(): Socket | undefined {
    const [silent] = this.#silent.keys();
    const [begun] = this.#begun.values();
    // The newcomer itself is among the silent: he goes if nobody else is.
    return this.#silent.size > 1 ? silent : (begun?.socket ?? silent);
  }

  /** `place`: where it was connected from. */
  #gone(socket: Socket, place: string | undefined): void {
    this.#silent.delete(socket);
    this.#waiting.delete(socket);
    if (place !== undefined && this.#begun.get(place)?.socket === socket) this.#begun.delete(place);
  }

  #pump(): void {
    if (this.#next !== undefined || this.#closed) return;
    const pauseMs = this.#freeAt - this.#clock.now();
    const goOn = (): void => {
      this.#next = undefined;
      this.#beginOne();
    };
    if (pauseMs > 0) this.#next = this.#clock.setTimer(pauseMs, goOn);
    else this.#beginOne();
  }

  #beginOne(): void {
    const [first] = this.#waiting;
    if (first === undefined) return;
    const [socket, { since, said }] = first;
    this.#waiting.delete(socket);
    const place = placeOf(socket);
    if (place !== undefined) this.#begun.set(place, { socket, since });
    const began = this.#clock.now();
    // He may have left, and 'close' not have said so yet.
    if (!socket.destroyed) this.#begin(socket, said);
    // What it has said is taken up in the next tick, before this one.
    process.nextTick(() => {
      const now = this.#clock.now();
      this.#freeAt = now + Math.min(MAX_PAUSE_MS, (now - began) * (1 / SHARE - 1));
      if (this.#waiting.size > 0) this.#pump();
    });
  }

  #lookLater(): Timer {
    return this.#clock.setTimer(Math.min(LOOK_MS, this.#handshakeMs / 2), () => {
      const from = this.#clock.now() - this.#handshakeMs;
      const overdue = [...this.#silent].filter(([, since]) => since <= from).map(([socket]) => socket);
      for (const [socket, { since }] of this.#waiting) if (since <= from) overdue.push(socket);
      for (const { socket, since } of this.#begun.values()) if (since <= from) overdue.push(socket);
      for (const socket of overdue) this.#late(socket);
      this.#look = this.#count > 0 && !this.#closed ? this.#lookLater() : undefined;
    });
  }
}

const read = (socket: Socket): Buffer | null => socket.read() as Buffer | null;

/** Undefined: through a file, and not to be told from others. */
export function placeOf({ remoteAddress, remotePort }: Socket): string | undefined {
  return remotePort === undefined ? undefined : `${remoteAddress} ${remotePort}`;
}

/** The first record is; or it is none, which TLS says in its own words. */
function isWholeRecord(said: Buffer): boolean {
  if (said.length === 0) return false;
  if (said[0] !== HANDSHAKE_RECORD) return true;
  if (said.length < RECORD_HEAD) return false;
  const length = said.readUInt16BE(3);
  return length > MAX_RECORD || said.length >= RECORD_HEAD + length;
}
