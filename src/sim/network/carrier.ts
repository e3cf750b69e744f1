/**
 * Carries frames over links. Frames of a link arrive in the order they were sent (unless the
 * weather reorders), those of one turn of the sender's event loop in one turn of the receiver's;
 * frames may be lost, come twice, or wait. A delivery is an event of the receiving life: dead lives
 * get nothing, paused ones get it later. Nothing arrives over a connection that broke meanwhile.
 */

import { KiB } from '../../base/bytes.js';
import type { Coverage } from '../model/coverage.js';
import type { Stream } from '../world/random.js';
import type { World } from '../world/world.js';
import type { SimEndpoint } from './endpoint.js';
import type { Batch, Link, Parcel } from './link.js';
import type { Topology } from './topology.js';
import { delayUs } from './weather.js';

const MS = 1_000;
/**
 * Kept while there is no connection, the newest, and no older than this (as the real transport does
 * between two tries).
 */
const DETACHED_BYTES = 64 * KiB;
const DETACHED_US = 1_000 * MS;

export class Carrier {
  readonly #world: World;
  readonly #topology: Topology;
  readonly #random: Stream;
  readonly #coverage: Coverage;

  constructor(world: World, topology: Topology, random: Stream, coverage: Coverage) {
    this.#world = world;
    this.#topology = topology;
    this.#random = random;
    this.#coverage = coverage;
  }

  /** There is no connection: the frame waits for one, for a while. */
  hold(link: Link, parcel: Parcel): void {
    link.hold(parcel, this.#world.nowUs);
    this.#forgetOld(link);
  }

  /** There is a connection. */
  send(link: Link, sender: SimEndpoint, parcel: Parcel): void {
    const now = this.#world.nowUs;
    if (now < link.cloggedUntilUs) {
      if (link.heldBytes > 0 && link.heldBytes + parcel.frame.length > link.weather.queueBytes) this.#dropped();
      else link.hold(parcel, now);
      return;
    }
    this.#transmit(link, sender, parcel, this.#world.timeOf(sender.process));
  }

  /** A connection is there again: what waited for it goes, but for what is too old. */
  attached(link: Link): void {
    this.#forgetOld(link);
    this.release(link);
  }

  /** Frames that waited go, if nothing holds them any more. */
  release(link: Link): void {
    if (!link.pair.up || this.#world.nowUs < link.cloggedUntilUs || link.held.length === 0) return;
    const sender = this.#topology.endpoint(link.from);
    const held = link.takeHeld();
    if (sender === undefined || !sender.listens) return;
    for (const parcel of held) this.#transmit(link, sender, parcel, this.#world.nowUs);
  }

  #forgetOld(link: Link): void {
    link.trim(DETACHED_BYTES, this.#world.nowUs - DETACHED_US);
  }

  #transmit(link: Link, sender: SimEndpoint, parcel: Parcel, departUs: number): void {
    const { weather } = link;
    const { frame } = parcel;
    const random = this.#random;
    const receiver = this.#topology.endpoint(link.to);
    if (receiver === undefined || !receiver.process.alive || link.cuts > 0) return;
    if (weather.lossIn1000 > 0 && random.chance(weather.lossIn1000, 1000)) {
      this.#coverage.branch('network frame lost');
      return;
    }
    if (link.inFlightBytes > 0 && link.inFlightBytes + frame.length > weather.queueBytes) return this.#dropped();
    if (weather.duplicateIn1000 > 0 && random.chance(weather.duplicateIn1000, 1000)) {
      this.#coverage.branch('network frame duplicated');
      this.#stray(link, sender, receiver, { to: parcel.to, frame: frame.slice() }, departUs);
    }
    if (weather.lateIn1000 > 0 && random.chance(weather.lateIn1000, 1000)) {
      this.#coverage.branch('network frame late');
      this.#arriveAlone(link, sender, receiver, parcel, departUs + random.between(2_000 * MS, 30_000 * MS));
      return;
    }
    if (weather.reorderIn1000 > 0 && random.chance(weather.reorderIn1000, 1000)) {
      this.#coverage.branch('network frame reordered');
      this.#stray(link, sender, receiver, parcel, departUs);
      return;
    }
    link.inFlightBytes += frame.length;
    const { batch } = link;
    if (batch !== undefined && batch.departUs === departUs && batch.receiver === receiver) {
      batch.parcels.push(parcel);
      batch.bytes += frame.length;
      return;
    }
    this.#newBatch(link, sender, receiver, parcel, departUs);
  }

  #newBatch(link: Link, sender: SimEndpoint, receiver: SimEndpoint, parcel: Parcel, departUs: number): void {
    const batch: Batch = { departUs, epoch: link.pair.epoch, sender, receiver, parcels: [parcel], bytes: parcel.frame.length };
    link.batch = batch;
    link.lastArrivalUs = Math.max(link.lastArrivalUs, departUs + delayUs(link.weather, this.#random));
    this.#world.schedule(link.lastArrivalUs - this.#world.nowUs, () => {
      if (link.batch === batch) link.batch = undefined;
      if (link.pair.epoch !== batch.epoch) return;
      link.inFlightBytes -= batch.bytes;
      if (link.cuts > 0) return;
      for (const one of batch.parcels) this.#deliver(link, sender, receiver, one);
    }, receiver.process);
  }

  /**
   * Outside the order of its link: a little later than those behind it, now and then much later.
   */
  #stray(link: Link, sender: SimEndpoint, receiver: SimEndpoint, parcel: Parcel, departUs: number): void {
    const random = this.#random;
    const extraUs = random.chance(1, 8) ? random.between(50 * MS, 3_000 * MS) : random.tail(8 * link.weather.delayMeanUs);
    this.#arriveAlone(link, sender, receiver, parcel, departUs + delayUs(link.weather, random) + extraUs);
  }

  /** Whatever became of the connection since. */
  #arriveAlone(link: Link, sender: SimEndpoint, receiver: SimEndpoint, parcel: Parcel, arrivalUs: number): void {
    this.#world.schedule(arrivalUs - this.#world.nowUs, () => {
      if (link.cuts === 0) this.#deliver(link, sender, receiver, parcel);
    }, receiver.process);
  }

  #deliver(link: Link, sender: SimEndpoint, receiver: SimEndpoint, { to, frame }: Parcel): void {
    // The frame before it in the same turn may have been the receiver's last.
    if (!receiver.listens || to !== receiver.member || !receiver.admits(sender.member, sender.id)) return;
    const { trace } = this.#world;
    trace.fold(link.from, link.to);
    trace.foldBytes(frame);
    receiver.handler?.onFrame(sender.member, frame);
  }

  #dropped(): void {
    this.#coverage.branch('network queue full');
  }
}
