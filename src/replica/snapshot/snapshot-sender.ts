/**
 * A snapshot is the durable manifest; its tables travel by fetching. While a transfer lives, the
 * sender keeps that version's files and the log after its F (S5); a receiver that shows no sign of
 * life is let go of, so that a dead one holds nothing for ever.
 */

import { assert } from '../../base/assert.js';
import type { Clock } from '../../base/env.js';
import type { EventSink } from '../../base/events.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import { RaftError } from '../../raft/errors.js';
import type { ProgressState, Snapshot } from '../../raft/types.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { Version } from '../../storage/version/version.js';
import { encodeManifest } from '../../storage/version/manifest-codec.js';
import type { Membership } from '../state/membership.js';

export interface SnapshotSenderParts {
  readonly clock: Clock;
  readonly events: EventSink;
  readonly tree: Tree;
  readonly membership: Pick<Membership, 'confState'>;
}

/** How the leader's Raft core sees its followers; undefined when this node does not lead. */
export type Followers = ReadonlyMap<NodeId, { readonly state: ProgressState }> | undefined;

/** A snapshot that the core holds and has not sent yet, or may send again. */
interface Offer {
  readonly snapshot: Snapshot;
  readonly manifest: Version;
  readonly unpin: () => void;
  madeAt: number;
}

interface Transfer {
  readonly flushed: LogIndex;
  readonly tables: readonly TableMeta[];
  readonly unpin: () => void;
  readonly startedAt: number;
  lastSign: number;
}

/** The receiver says every second that it works on it. */
const SILENCE_MS = 4_000;
/** How long a transfer is kept before the core is asked whether it still goes on. */
const SETTLE_MS = 1_000;

export class SnapshotSender {
  readonly #parts: SnapshotSenderParts;
  readonly #transfers = new Map<NodeId, Transfer>();
  /**
   * Versions that members asked for themselves: nothing but their signs of life says how long they
   * are wanted.
   */
  readonly #handed = new Map<NodeId, Transfer>();
  /**
   * Newest last. Kept from the moment that a snapshot is made: by the time it leaves, the durable
   * version may be another.
   */
  readonly #offers: Offer[] = [];
  #sent = 0;

  constructor(parts: SnapshotSenderParts) {
    this.#parts = parts;
  }

  get sent(): number {
    return this.#sent;
  }

  /**
   * What the core sends to a follower whose next entry is gone. Throws RaftError
   * SNAPSHOT_UNAVAILABLE.
   */
  snapshot(): Snapshot {
    const { tree, membership, clock } = this.#parts;
    const manifest = tree.durable;
    if (manifest.flushed.index === 0) throw new RaftError('SNAPSHOT_UNAVAILABLE', 'nothing was flushed yet');
    let offer = this.#offers.at(-1);
    if (offer?.manifest !== manifest) {
      const snapshot: Snapshot = {
        metadata: { index: manifest.flushed.index, term: manifest.flushed.term, confState: membership.confState },
        data: encodeManifest(manifest),
      };
      offer = { snapshot, manifest, unpin: tree.pin(manifest.list()), madeAt: 0 };
      assert((this.#offers.at(-1)?.manifest.last.index ?? 0) < manifest.last.index, `S5 offers are of ever newer versions: ${manifest.last.index}`);
      this.#offers.push(offer);
    }
    assert(offer.snapshot.metadata.index === manifest.flushed.index, 'S2 a snapshot is at the flushed index of its manifest');
    offer.madeAt = clock.now();
    return offer.snapshot;
  }

  /**
   * The durable version, for a member that cannot go on with its own: what that one needs may be in
   * no table here any more, while its log is long enough for Raft. Kept like a snapshot's.
   * Undefined: nothing was flushed yet.
   */
  handOver(to: NodeId): Version | undefined {
    const { tree, clock } = this.#parts;
    const manifest = tree.durable;
    if (manifest.flushed.index === 0) return undefined;
    this.#release(this.#handed, to);
    const tables = manifest.list();
    const now = clock.now();
    assert(!this.#handed.has(to), `S5 what ${to} asked for before is let go of`);
    this.#handed.set(to, { flushed: manifest.flushed.index, tables, unpin: tree.pin(tables), startedAt: now, lastSign: now });
    return manifest;
  }

  started(to: NodeId, snapshot: Snapshot): void {
    const { tree, clock, events } = this.#parts;
    this.#release(this.#transfers, to);
    const now = clock.now();
    const offer = this.#offers.find((candidate) => candidate.snapshot === snapshot);
    assert(!this.#transfers.has(to), `S5 one transfer to ${to} at a time`);
    const tables = (offer?.manifest ?? tree.durable).levels.flat();
    this.#transfers.set(to, { flushed: snapshot.metadata.index, tables, unpin: tree.pin(tables), startedAt: now, lastSign: now });
    this.#sent++;
    events.emit({ type: 'snapshot-sent', to, index: snapshot.metadata.index });
  }

  /** The receiver works on it. */
  alive(from: NodeId): void {
    for (const transfer of [this.#transfers.get(from), this.#handed.get(from)]) {
      if (transfer) transfer.lastSign = this.#parts.clock.now();
    }
  }

  /** Tables that are kept for transfers, whether or not a version still names them. */
  tables(): TableMeta[] {
    const offered = this.#offers.flatMap((offer) => offer.manifest.list());
    return [...offered, ...this.#underWay().flatMap((transfer) => transfer.tables)];
  }

  /** The log after this index is needed by a transfer; Infinity if there is none. */
  floor(): LogIndex {
    let floor = Infinity;
    for (const { flushed } of this.#underWay()) floor = Math.min(floor, flushed);
    for (const { manifest } of this.#offers) floor = Math.min(floor, manifest.flushed.index);
    assert(floor > 0, 'S5 a snapshot has something in tables');
    return floor;
  }

  /**
   * Lets go of what nobody wants any more. The followers whose transfer is given up: the core must
   * be told.
   */
  tick(followers: Followers): NodeId[] {
    const given: NodeId[] = [];
    const now = this.#parts.clock.now();
    while (this.#offers[0] && now - this.#offers[0].madeAt > SILENCE_MS) this.#offers.shift()?.unpin();
    for (const [peer, transfer] of this.#transfers) {
      if (now - transfer.startedAt < SETTLE_MS) continue;
      if (followers?.get(peer)?.state !== 'snapshot') {
        this.#release(this.#transfers, peer);
      } else if (now - transfer.lastSign > SILENCE_MS) {
        this.#release(this.#transfers, peer);
        given.push(peer);
      }
    }
    for (const [peer, handed] of this.#handed) if (now - handed.lastSign > SILENCE_MS) this.#release(this.#handed, peer);
    return given;
  }

  stop(): void {
    for (const which of [this.#transfers, this.#handed]) for (const peer of [...which.keys()]) this.#release(which, peer);
    for (const offer of this.#offers.splice(0)) offer.unpin();
    assert(this.floor() === Infinity, 'S5 nothing is kept for transfers that are over');
  }

  #underWay(): Transfer[] {
    return [...this.#transfers.values(), ...this.#handed.values()];
  }

  #release(which: Map<NodeId, Transfer>, peer: NodeId): void {
    which.get(peer)?.unpin();
    which.delete(peer);
  }
}
