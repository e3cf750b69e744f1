/**
 * The streams of one connection from their beginning to their end. Every way out of a stream goes
 * through `#end`: it leaves the table and the send queue, the connection gets back what the stream
 * holds of its window, and the layer above is told, once.
 */

import { assert } from '../base/assert.js';
import { INITIAL_WINDOW_BYTES } from './frame.js';
import type { FrameWriter } from './frame-writer.js';
import type { Http2Limits } from './limits.js';
import type { Outlet } from './outlet.js';
import { ReceiveWindow } from './receive-window.js';
import type { RequestHandler } from './request-handler.js';
import { ResetMemory } from './reset-memory.js';
import type { StreamPool } from './stream-pool.js';
import type { StreamOwner, StreamRecord } from './stream-record.js';
import { StreamTable } from './stream-table.js';

export interface StreamsParts {
  readonly handler: RequestHandler;
  readonly limits: Http2Limits;
  readonly pool: StreamPool;
  readonly writer: FrameWriter;
  readonly outlet: Outlet;
}

export class Streams {
  readonly #handler: RequestHandler;
  readonly #limits: Http2Limits;
  readonly #pool: StreamPool;
  readonly #writer: FrameWriter;
  readonly #outlet: Outlet;
  readonly #table = new StreamTable();
  readonly #window: ReceiveWindow;
  readonly #resets = new ResetMemory();
  #lastId = 0;
  /** Over, and not released by the layer above. */
  #lingering = 0;
  #unsent = 0;

  constructor(parts: StreamsParts) {
    this.#handler = parts.handler;
    this.#limits = parts.limits;
    this.#pool = parts.pool;
    this.#writer = parts.writer;
    this.#outlet = parts.outlet;
    this.#window = new ReceiveWindow(Math.max(parts.limits.connectionWindowBytes, INITIAL_WINDOW_BYTES));
  }

  get open(): number {
    return this.#table.size;
  }

  get lingering(): number {
    return this.#lingering;
  }

  /** Bytes of whole responses that wait to be sent. */
  get unsentBytes(): number {
    return this.#unsent;
  }

  /** The highest id that the peer has used: what is above is idle (RFC 9113, 5.1.1). */
  get lastId(): number {
    return this.#lastId;
  }

  /** Bytes of requests that are here and not consumed. */
  get heldBytes(): number {
    return this.#window.held;
  }

  /** May one more be open? */
  get hasRoom(): boolean {
    const max = this.#limits.maxConcurrentStreams;
    return this.#table.size < max && this.#lingering < max;
  }

  /** Never used by the peer, or none that it may use. */
  isIdle(id: number): boolean {
    return id > this.#lastId || (id & 1) === 0;
  }

  get(id: number): StreamRecord | undefined {
    return this.#table.get(id);
  }

  all(): StreamRecord[] {
    return this.#table.all();
  }

  /** The id is used up, whatever becomes of its stream. */
  use(id: number): void {
    this.#lastId = id;
  }

  /** `knowsWindow`: the peer goes by our SETTINGS already. */
  begin(id: number, owner: StreamOwner, knowsWindow: boolean): StreamRecord {
    const stream = this.#pool.take(id, owner);
    const size = this.#limits.streamWindowBytes;
    stream.receiveWindow.reset(size, knowsWindow || size >= INITIAL_WINDOW_BYTES ? 0 : INITIAL_WINDOW_BYTES - size);
    this.#table.add(stream);
    return stream;
  }

  /** `complete`: the whole response is in the output. */
  close(stream: StreamRecord, complete: boolean): void {
    this.#table.remove(stream);
    this.#end(stream, complete);
  }

  closeAll(): void {
    const all = this.#table.all();
    // None of them may send while the layer above is told of another.
    for (const stream of all) {
      stream.over = true;
      this.#table.remove(stream);
    }
    for (const stream of all) this.#end(stream, false);
  }

  #end(stream: StreamRecord, complete: boolean): void {
    stream.over = true;
    if (stream.whole) this.sent(stream.payload.bytes);
    stream.drop();
    const { held } = stream.receiveWindow;
    if (held > 0) this.giveBack(held);
    const wasReleased = stream.released;
    if (!wasReleased) this.#lingering++;
    this.#handler.over(stream, complete);
    if (wasReleased) this.#pool.give(stream);
  }

  /** The layer above lets go of a stream that is over. */
  released(stream: StreamRecord): void {
    this.#lingering--;
    this.#pool.give(stream);
  }

  /** The payload of a whole response waits, of which so much is sent, or dropped, later. */
  unsent(bytes: number): void {
    this.#unsent += bytes;
  }

  sent(bytes: number): void {
    this.#unsent -= bytes;
    assert(this.#unsent >= 0, 'what is sent has waited');
  }

  /** Bytes of DATA frames have come. False: more than the connection's window. */
  received(bytes: number): boolean {
    return this.#window.take(bytes);
  }

  /** Of those, so many are not needed any more. */
  giveBack(bytes: number): void {
    const increment = this.#window.give(bytes);
    if (increment === 0) return;
    this.#writer.windowUpdate(0, increment);
    this.#outlet.wake();
  }

  /** So many bytes of a stream are not needed any more. */
  consumed(stream: StreamRecord, bytes: number): void {
    const increment = stream.receiveWindow.give(bytes);
    if (increment > 0 && !stream.requestEnded) {
      this.#writer.windowUpdate(stream.id, increment);
      this.#outlet.wake();
    }
    this.giveBack(bytes);
  }

  /** We have reset it while the peer may still be sending. */
  rememberReset(id: number): void {
    this.#resets.add(id);
  }

  wasReset(id: number): boolean {
    return this.#resets.has(id);
  }

  /** The peer has ended it, too. */
  forgetReset(id: number): void {
    this.#resets.forget(id);
  }
}
