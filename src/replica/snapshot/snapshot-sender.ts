/**
 * A snapshot is the durable manifest; its tables travel by fetching. S5 while a transfer lives, the
 * sender keeps that version's files and the log after its flushed index; a receiver that shows no
 * sign of life is let go of, so that a dead one holds nothing for ever.
 */

import { assert } from '../../base/assert.js';
import type { Clock } from '../../base/env.js';
import type { EventSink } from '../../base/events.js';
import type { LogIndex, NodeId } from '../../base/ids.js';
import { RaftError } from '../../raft/errors.js';
import type { ProgressState, Snapshot } from '../../raft/types.js';
import type { Tree } from '../../storage/tree/tree.js';
import type { TableMeta } from '../../storage/table/table-meta.js';
import type { LogPosition, Version } from '../../storage/version/version.js';
import type { Membership } from '../state/membership.js';
import { CatchingUp } from './catching-up.js';
import { messageOfVersion } from './version-message.js';

export interface SnapshotSenderParts {
  readonly clock: Clock;
  readonly events: EventSink;
  readonly tree: Tree;
  readonly membership: Pick<Membership, 'confStateAsOf'>;
}

/** How the leader's Raft core sees its followers; undefined when this node does not lead. */
export type Followers = ReadonlyMap<NodeId, { readonly state: ProgressState; readonly match: LogIndex }> | undefined;

/** A snapshot that the core holds and has not sent yet, or may send again. */
interface Offer {
  readonly snapshot: Snapshot;
  readonly manifest: Version;
  readonly unpin: () => void;
  madeAt: number;
}

/**
 *   settling   it was just sent, and the core may not know yet that it was
 *   running    the receiver says every second that it works on it
 *   over       it keeps nothing any more
 */
type Stage = 'settling' | 'running' | 'over';

const MOVES: Readonly<Record<Stage, readonly Stage[]>> = {
  settling: ['running', 'over'],
  running: ['over'],
  over: [],
};

interface Transfer {
  /** What is kept for it: the tables of that version, and the log after its flushed index. */
  readonly manifest: Version;
  readonly unpin: () => void;
  readonly startedAt: number;
  /** startedAt <= lastSign <= now. */
  lastSign: number;
  stage: Stage;
}

/** The receiver says every second that it works on it. */
const SILENCE_MS = 4_000;
/** How long a transfer is kept before the core is asked whether it still goes on. */
const SETTLE_MS = 1_000;

/** A member that asks again within this has got a version that it cannot go on from, or none. */
const ASKS_AGAIN_MS = 10_000;

export class SnapshotSender {
  readonly #parts: SnapshotSenderParts;
  /** Snapshots of Raft's, at most one to a follower. The core says when one is over. */
  readonly #sent = new Map<NodeId, Transfer>();
  /**
   * Versions that members asked for themselves, at most one each: nothing but their signs of life
   * says how long they are wanted.
   */
  readonly #given = new Map<NodeId, Transfer>();
  /**
   * Newest last. Kept from the moment that a snapshot is made: by the time it leaves, the durable
   * version may be another.
   */
  readonly #offers: Offer[] = [];
  /** Whose snapshot has arrived, and who need the log after it. */
  readonly #catchingUp: CatchingUp;
  /** When each member last asked for a version; as many as there are members. */
  readonly #askedAt = new Map<NodeId, number>();
  #newerWanted = false;
  #count = 0;

  constructor(parts: SnapshotSenderParts) {
    this.#parts = parts;
    this.#catchingUp = new CatchingUp(parts.clock);
  }

  /** Snapshots sent since the start. */
  get sent(): number {
    return this.#count;
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
      const { index, term } = manifest.flushed;
      const snapshot: Snapshot = {
        metadata: { index, term, confState: membership.confStateAsOf(index) },
        data: messageOfVersion(manifest),
      };
      offer = { snapshot, manifest, unpin: tree.pin(manifest.list()), madeAt: 0 };
      assert((this.#offers.at(-1)?.manifest.last.index ?? 0) < manifest.last.index, `S5 offers are of ever newer versions: ${manifest.last.index}`);
      this.#offers.push(offer);
    }
    const { index, term } = offer.snapshot.metadata;
    assert(index === manifest.flushed.index && term === manifest.flushed.term, 'S2 a snapshot is at the flushed index of its manifest');
    offer.madeAt = clock.now();
    return offer.snapshot;
  }

  /**
   * The durable version, for a member that cannot go on with its own: what that one needs may be in
   * no table here any more, while its log is long enough for Raft. Kept like a snapshot's.
   * Undefined: nothing was flushed yet.
   */
  giveVersion(to: NodeId): Version | undefined {
    const { tree, clock } = this.#parts;
    const manifest = tree.durable;
    const now = clock.now();
    if (now - (this.#askedAt.get(to) ?? -Infinity) < ASKS_AGAIN_MS) this.#newerWanted = true;
    this.#askedAt.set(to, now);
    if (manifest.flushed.index === 0) return undefined;
    this.#begin(this.#given, to, manifest, 'running');
    return manifest;
  }

  /** Whether somebody asked again since this was last called: what there is does not do. */
  takeNewerWanted(): boolean {
    const wanted = this.#newerWanted;
    this.#newerWanted = false;
    return wanted;
  }

  started(to: NodeId, snapshot: Snapshot): void {
    const { tree, events } = this.#parts;
    const { index } = snapshot.metadata;
    const offer = this.#offers.find((candidate) => candidate.snapshot === snapshot);
    assert(offer === undefined || offer.manifest.flushed.index === index, `S2 the offer of ${index} is sent as it was made`);
    this.#begin(this.#sent, to, offer?.manifest ?? tree.durable, 'settling');
    this.#count++;
    events.emit({ type: 'snapshot-sent', to, index });
  }

  /** The receiver works on it. */
  alive(from: NodeId): void {
    const now = this.#parts.clock.now();
    for (const transfer of [this.#sent.get(from), this.#given.get(from)]) {
      if (transfer === undefined) continue;
      assert(now >= transfer.lastSign && transfer.stage !== 'over', `S5 a transfer that is over is forgotten: to ${from}`);
      transfer.lastSign = now;
    }
  }

  /** Tables that are kept for transfers, whether or not a version still names them. */
  tables(): TableMeta[] {
    const offered = this.#offers.flatMap((offer) => offer.manifest.list());
    return [...offered, ...this.#underWay().flatMap(({ manifest }) => manifest.list())];
  }

  /** The version with this `last` op, if it is kept for `to`. */
  kept(to: NodeId, last: LogPosition): Version | undefined {
    const versions = [this.#sent.get(to), this.#given.get(to), ...this.#offers].map((keeper) => keeper?.manifest);
    return versions.find((manifest) => manifest?.last.index === last.index && manifest.last.term === last.term);
  }

  /** The log after this index is needed by a transfer; Infinity if there is none. */
  floor(): LogIndex {
    let floor = this.#catchingUp.floor();
    for (const { manifest } of [...this.#underWay(), ...this.#offers]) floor = Math.min(floor, manifest.flushed.index);
    assert(floor > 0, 'S5 a snapshot has something in tables');
    return floor;
  }

  /**
   * Lets go of what nobody wants any more. The followers whose transfer is given up: the core must
   * be told.
   */
  tick(followers: Followers): NodeId[] {
    const givenUp: NodeId[] = [];
    const now = this.#parts.clock.now();
    while (this.#offers[0] && now - this.#offers[0].madeAt > SILENCE_MS) this.#offers.shift()?.unpin();
    for (const [peer, transfer] of this.#sent) {
      if (now - transfer.startedAt < SETTLE_MS) continue;
      if (transfer.stage === 'settling') move(transfer, 'running', peer);
      const follower = followers?.get(peer);
      if (follower?.state !== 'snapshot') {
        this.#release(this.#sent, peer);
        if (follower !== undefined && follower.match >= transfer.manifest.flushed.index) this.#catchingUp.begin(peer, follower.match);
      } else if (now - transfer.lastSign > SILENCE_MS) {
        this.#release(this.#sent, peer);
        givenUp.push(peer);
      }
    }
    this.#catchingUp.tick(followers, this.#parts.tree.durable.flushed.index);
    for (const [peer, given] of this.#given) if (now - given.lastSign > SILENCE_MS) this.#release(this.#given, peer);
    assert(givenUp.every((peer) => !this.#sent.has(peer)), 'S5 a transfer that is given up keeps nothing');
    return givenUp;
  }

  stop(): void {
    for (const which of [this.#sent, this.#given]) for (const peer of [...which.keys()]) this.#release(which, peer);
    for (const offer of this.#offers.splice(0)) offer.unpin();
    this.#catchingUp.stop();
    assert(this.floor() === Infinity && this.tables().length === 0, 'S5 nothing is kept for transfers that are over');
  }

  #underWay(): Transfer[] {
    return [...this.#sent.values(), ...this.#given.values()];
  }

  /** The one before it, if any, is replaced. */
  #begin(which: Map<NodeId, Transfer>, to: NodeId, manifest: Version, stage: Stage): void {
    const { tree, clock } = this.#parts;
    this.#release(which, to);
    assert(!which.has(to), `S5 one transfer to ${to} at a time`);
    assert(manifest.flushed.index > 0, `S5 there is something in tables to send to ${to}`);
    const now = clock.now();
    which.set(to, { manifest, unpin: tree.pin(manifest.list()), startedAt: now, lastSign: now, stage });
  }

  #release(which: Map<NodeId, Transfer>, peer: NodeId): void {
    const transfer = which.get(peer);
    if (transfer === undefined) return;
    move(transfer, 'over', peer);
    transfer.unpin();
    which.delete(peer);
  }
}

function move(transfer: Transfer, to: Stage, peer: NodeId): void {
  const { stage } = transfer;
  assert(MOVES[stage].includes(to), `S5 the transfer to ${peer} is ${stage}, and does not become ${to}`);
  transfer.stage = to;
}
