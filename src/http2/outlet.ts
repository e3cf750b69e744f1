/**
 * Where the output of a connection leaves: what one turn of the event loop produces goes in one
 * write, and while the transport is full nothing goes and nothing more is read. Answers to what has
 * just arrived leave when it was handled; what nobody waits for (acknowledgements, windows) and
 * later answers leave at the end of the turn.
 */

import { KiB } from '../base/bytes.js';
import type { Output } from './output.js';
import type { Transport } from './transport.js';
import type { Flushable, TurnEnd } from './turn-end.js';

/** The connection whose output it is. */
export interface OutletOwner extends Flushable {
  /** The transport is full: nothing more is to be read. */
  filled(): void;
}

/** So much does not wait for the end of the turn. */
const FLUSH_AT_BYTES = 256 * KiB;

export class Outlet {
  readonly #transport: Transport;
  readonly #output: Output;
  readonly #turn: TurnEnd;
  readonly #owner: OutletOwner;
  #full = false;
  #closed = false;
  #inside = false;
  #answered = false;
  #scheduled = false;

  /** At the end of a turn the owner is flushed, which is to call `turnEnds`. */
  constructor(transport: Transport, output: Output, turn: TurnEnd, owner: OutletOwner) {
    this.#transport = transport;
    this.#output = output;
    this.#turn = turn;
    this.#owner = owner;
  }

  /** Nothing can be written until the transport has drained. */
  get full(): boolean {
    return this.#full;
  }

  /** Input is being handled: nothing is scheduled until `leave`. */
  enter(): void {
    this.#inside = true;
    this.#answered = false;
  }

  leave(): void {
    this.#inside = false;
    if (this.#answered) this.flush();
    else if (this.#output.size > 0) this.wake();
  }

  /** Somebody waits for what was written. */
  answered(): void {
    if (this.#inside) this.#answered = true;
    else this.wake();
  }

  /** Something was written that can wait for the end of the turn. */
  wake(): void {
    if (this.#inside || this.#scheduled || this.#closed) return;
    this.#scheduled = true;
    this.#turn.add(this.#owner);
  }

  turnEnds(): void {
    this.#scheduled = false;
    this.flush();
  }

  flushIfLarge(): void {
    if (this.#output.size >= FLUSH_AT_BYTES) this.flush();
  }

  flush(): void {
    if (this.#full || this.#closed) return;
    if (this.#output.writeTo(this.#transport) !== 'full') return;
    this.#full = true;
    this.#owner.filled();
  }

  drained(): void {
    this.#full = false;
  }

  /** What was written leaves, full or not, and then the transport is closed. */
  end(): void {
    if (this.#closed) return;
    this.#output.writeTo(this.#transport);
    this.#closed = true;
    if (this.#full) this.#transport.resume();
    this.#transport.end();
  }

  /** The transport is gone. */
  drop(): void {
    this.#closed = true;
    this.#output.drop();
  }
}
