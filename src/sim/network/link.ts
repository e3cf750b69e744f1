/**
 * One direction between two nodes, and the connection that both directions of a pair share. State
 * only; `SimNetwork` moves it.
 */

import type { NodeId } from '../../base/ids.js';
import type { Weather } from './weather.js';
import type { SimEndpoint } from './endpoint.js';

/**
 * The connection of two nodes. Down, it comes back by itself once both live and no direction is
 * cut.
 */
export class Pair {
  up = false;
  /** By place, while it is up: which members it connects. */
  readonly members = new Map<NodeId, NodeId>();
  /** Raised at each break: what was on its way then is gone. */
  epoch = 0;
  /** Raised at each try to connect: only the newest one counts. */
  attempt = 0;
}

/** A frame, and the member that it is for: whoever is at its place may be another by then. */
export interface Parcel {
  readonly to: NodeId;
  readonly frame: Uint8Array;
}

/**
 * Frames that left in one turn of the sender's event loop: they arrive in one of the receiver's.
 */
export interface Batch {
  readonly departUs: number;
  readonly epoch: number;
  readonly sender: SimEndpoint;
  readonly receiver: SimEndpoint;
  readonly parcels: Parcel[];
  bytes: number;
}

export interface Held extends Parcel {
  readonly atUs: number;
}

export class Link {
  readonly from: NodeId;
  readonly to: NodeId;
  readonly pair: Pair;
  /** What holds on this link now: the seed's weather and every storm over it. */
  weather: Weather;
  /** Cuts in force; what is sent or arrives while there is one is gone. */
  cuts = 0;
  /** Raised when a cut begins or ends. */
  cutEpoch = 0;
  /** Raised when all cuts were lifted at once: undoing one of them later changes nothing. */
  mends = 0;
  cloggedUntilUs = 0;
  /** No frame arrives before one that was sent earlier. */
  lastArrivalUs = 0;
  /** The newest batch, while it is on its way. */
  batch: Batch | undefined;
  inFlightBytes = 0;
  /** Frames that wait for a connection, or for the end of a clog. */
  held: Held[] = [];
  heldBytes = 0;

  constructor(from: NodeId, to: NodeId, pair: Pair, weather: Weather) {
    this.from = from;
    this.to = to;
    this.pair = pair;
    this.weather = weather;
  }

  hold({ to, frame }: Parcel, atUs: number): void {
    this.held.push({ atUs, to, frame });
    this.heldBytes += frame.length;
  }

  /**
   * Lets go of the oldest held frames until at most `bytes` are left and none is from before
   * `fromUs`.
   */
  trim(bytes: number, fromUs: number): void {
    let drop = 0;
    while (drop < this.held.length) {
      const { atUs, frame } = this.held[drop] as Held;
      if (this.heldBytes <= bytes && atUs >= fromUs) break;
      this.heldBytes -= frame.length;
      drop++;
    }
    if (drop > 0) this.held = this.held.slice(drop);
  }

  takeHeld(): readonly Held[] {
    const held = this.held;
    this.held = [];
    this.heldBytes = 0;
    return held;
  }

  /** The connection broke. */
  reset(): void {
    this.takeHeld();
    this.batch = undefined;
    this.inFlightBytes = 0;
    this.lastArrivalUs = 0;
  }
}
