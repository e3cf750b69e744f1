/**
 * One client connection, as a function of bytes and time (RFC 9113): what comes in goes through
 * `FrameReader`, `Inbound` and `RequestReader` to the layer above, what that answers through
 * `Responder`, `FrameWriter`, `Output` and `Outlet` to the transport. Whatever a client sends ends
 * in a response, a reset or a GOAWAY, never in an exception. However the connection ends, every
 * stream is told to be over, and all that was borrowed from the pool goes back.
 */

import type { Clock } from '../base/env.js';
import type { ConnectionControl } from './connection-control.js';
import { Drain } from './drain.js';
import { Http2Code } from './error-code.js';
import { FloodBudget } from './flood-budget.js';
import { INITIAL_WINDOW_BYTES, MAX_31_BITS } from './frame.js';
import { FrameReader, type ReadResult } from './frame-reader.js';
import { FrameWriter } from './frame-writer.js';
import { Handshake } from './handshake.js';
import { HpackEncoder } from './hpack/encoder.js';
import { Inbound } from './inbound.js';
import { Keepalive } from './keepalive.js';
import type { Http2Limits } from './limits.js';
import { Outlet, type OutletOwner } from './outlet.js';
import { Output } from './output.js';
import type { Http2Pool } from './pool.js';
import type { RequestHandler } from './request-handler.js';
import { RequestReader } from './request-reader.js';
import { Responder } from './responder.js';
import { SendWindows } from './send-windows.js';
import { settingsOf } from './settings.js';
import { Stalled } from './stalled.js';
import { Streams } from './streams.js';
import type { Carried, Transport } from './transport.js';

export interface ServerConnectionParts {
  readonly transport: Transport;
  readonly handler: RequestHandler;
  readonly limits: Http2Limits;
  readonly clock: Clock;
  /** Shared by all connections of a server. */
  readonly pool: Http2Pool;
  /** See {@link Http2Stream.peerName}. */
  readonly peerName?: string | undefined;
}

/** What a connection holds; all zero once it is closed and its streams are released. */
export interface ConnectionUsage {
  readonly openStreams: number;
  /** Streams that are over and that the layer above still holds. */
  readonly lingeringStreams: number;
  /** Bytes of requests that are here and not consumed. */
  readonly requestBytes: number;
  /** Bytes read from the transport and held back. */
  readonly heldBytes: number;
  /** Bytes of output that wait for the end of the turn or for the transport. */
  readonly outputBytes: number;
  /** Bytes of whole responses that wait to be sent. */
  readonly unsentBytes: number;
}

/** Numbers in our pings, so that their answers are told apart. */
const KEEPALIVE_PING = 1;
const DRAIN_PING = 2;

export class ServerConnection implements Carried, ConnectionControl, OutletOwner {
  readonly #transport: Transport;
  readonly #limits: Http2Limits;
  readonly #clock: Clock;
  readonly #output: Output;
  readonly #outlet: Outlet;
  readonly #writer: FrameWriter;
  readonly #streams: Streams;
  readonly #responder: Responder;
  readonly #requests: RequestReader;
  readonly #reader: FrameReader;
  readonly #budget: FloodBudget;
  readonly #handshake: Handshake;
  readonly #keepalive: Keepalive;
  readonly #drain: Drain;
  readonly #stalled: Stalled;
  /** `ended`: by us, and the transport is to close; `gone`: it has closed. */
  #state: 'open' | 'ended' | 'gone' = 'open';
  #endedAt = 0;

  constructor(parts: ServerConnectionParts) {
    const { transport, handler, limits, clock, pool } = parts;
    const now = clock.now();
    this.#transport = transport;
    this.#limits = limits;
    this.#clock = clock;
    this.#budget = new FloodBudget(limits.maxConcurrentStreams, now);
    this.#handshake = new Handshake(limits.handshakeMs, now);
    this.#keepalive = new Keepalive(limits, now);
    this.#drain = new Drain(limits.handshakeMs);
    this.#output = new Output(pool.blocks);
    this.#writer = new FrameWriter(this.#output);
    this.#outlet = new Outlet(transport, this.#output, pool.turn, this);
    const windows = new SendWindows();
    const encoder = new HpackEncoder();
    const out = { writer: this.#writer, output: this.#output, outlet: this.#outlet };
    const state = { budget: this.#budget, handshake: this.#handshake, drain: this.#drain };
    const shared = { connection: this, handler, limits, windows, encoder, ...out, ...state };
    const streams = (this.#streams = new Streams({ ...shared, pool: pool.streams }));
    const responder = (this.#responder = new Responder({ ...shared, streams, peerName: parts.peerName }));
    const requests = (this.#requests = new RequestReader({ ...shared, streams, responder }));
    const inbound = new Inbound({ ...shared, streams, responder, requests });
    this.#reader = new FrameReader(inbound, pool.frames);
    this.#stalled = new Stalled(streams, windows, limits.stalledMs, now);
    this.#greet();
  }

  get openStreams(): number {
    return this.#streams.open;
  }

  get usage(): ConnectionUsage {
    return {
      openStreams: this.#streams.open,
      lingeringStreams: this.#streams.lingering,
      requestBytes: this.#streams.heldBytes,
      heldBytes: this.#reader.heldBytes,
      outputBytes: this.#output.size,
      unsentBytes: this.#streams.unsentBytes,
    };
  }

  /** Bytes from the peer; they may be overwritten after the return. */
  receive(chunk: Uint8Array): void {
    if (this.#state !== 'open') return;
    this.#keepalive.heard();
    this.#outlet.enter();
    this.#judge(this.#reader.read(chunk));
    this.#leave();
  }

  /** The transport, which had said 'full', wants more again. */
  drained(): void {
    if (this.#state !== 'open' || !this.#outlet.full) return;
    this.#keepalive.heard();
    this.#outlet.drained();
    this.#outlet.enter();
    this.#responder.pump();
    this.#outlet.flush();
    if (!this.#outlet.full) this.#judge(this.#reader.goOn());
    this.#leave();
    if (this.#state === 'open' && !this.#outlet.full) this.#transport.resume();
  }

  /** The transport is gone: every stream is over. */
  closed(): void {
    if (this.#state === 'gone') return;
    const wasOpen = this.#state === 'open';
    this.#state = 'gone';
    if (wasOpen) this.#giveUp();
  }

  /** About 20 times a second: keepalive, time-outs, flood budgets. `now` is the clock's. */
  tick(now: number): void {
    if (this.#state !== 'open') {
      if (this.#state === 'ended' && now - this.#endedAt >= this.#limits.handshakeMs) this.#transport.destroy();
      return;
    }
    this.#budget.tick(now);
    // While the transport is full nothing is read, so nothing can have come.
    if (!this.#outlet.full) {
      if (this.#handshake.isLate(now)) return this.fail(Http2Code.SETTINGS_TIMEOUT);
      if (this.#requests.isLate(now, this.#limits.handshakeMs)) return this.fail(Http2Code.ENHANCE_YOUR_CALM);
    }
    if (this.#drain.isLate(now)) this.#lastGoaway();
    for (const stream of this.#stalled.look(now, this.#outlet.full)) stream.reset(Http2Code.CANCEL);
    switch (this.#keepalive.tick(now)) {
      case 'ping':
        this.#writer.ping(KEEPALIVE_PING);
        return this.#outlet.wake();
      case 'dead':
        this.#end();
        return this.#transport.destroy();
      case 'alive':
    }
  }

  /**
   * Lets the requests that run end, and those that were on their way; takes no new ones, and closes
   * when all is answered. The caller limits the time by closing the transport.
   */
  drain(): void {
    if (this.#state !== 'open') return;
    if (!this.#handshake.begun) return this.fail(Http2Code.NO_ERROR);
    if (!this.#drain.warn(this.#clock.now())) return;
    this.#writer.goaway(MAX_31_BITS, Http2Code.NO_ERROR);
    this.#writer.ping(DRAIN_PING);
    this.#outlet.wake();
  }

  /** What waits leaves now. Every turn ends with it. */
  flush(): void {
    this.#outlet.turnEnds();
    this.#closeIfDrained();
  }

  /** Ends the connection with an error of ours or of the peer's (RFC 9113, 5.4.1). */
  fail(code: number): void {
    if (this.#state !== 'open') return;
    this.#writer.goaway(Math.min(this.#streams.lastId, this.#drain.lastId), code);
    this.#outlet.end();
    this.#end();
  }

  /** For the outlet: nothing more is read until `drained`. */
  filled(): void {
    this.#reader.stop();
    this.#transport.pause();
  }

  /** The answer to a ping of ours, or to none. */
  pingAnswered(number: number): void {
    if (number === DRAIN_PING && this.#drain.answered()) this.#lastGoaway();
  }

  #greet(): void {
    this.#writer.settings(settingsOf(this.#limits));
    const more = this.#limits.connectionWindowBytes - INITIAL_WINDOW_BYTES;
    if (more > 0) this.#writer.windowUpdate(0, more);
    this.#outlet.wake();
  }

  #judge(read: ReadResult): void {
    if (read === 'bad-preface') this.fail(Http2Code.PROTOCOL_ERROR);
    else if (read === 'frame-too-large') this.fail(Http2Code.FRAME_SIZE_ERROR);
  }

  #leave(): void {
    this.#outlet.leave();
    this.#closeIfDrained();
  }

  #lastGoaway(): void {
    this.#drain.last(this.#streams.lastId);
    this.#writer.goaway(this.#streams.lastId, Http2Code.NO_ERROR);
    this.#outlet.wake();
  }

  #closeIfDrained(): void {
    if (this.#state !== 'open' || !this.#drain.isLast || this.#streams.open > 0) return;
    this.#outlet.end();
    this.#end();
  }

  /** The transport is to be gone soon. */
  #end(): void {
    this.#state = 'ended';
    this.#endedAt = this.#clock.now();
    this.#giveUp();
  }

  #giveUp(): void {
    this.#reader.end();
    this.#requests.end();
    this.#streams.closeAll();
    this.#outlet.drop();
  }
}
