/**
 * Members tell each other whether their disks have room, and whether a block is lost (D1): once a
 * second, and at once when room changes, because a log takes little more once the tree finds none.
 * What was not said again for a while is not known: a leader raises no alarm for it, and takes none
 * back.
 */

import { CodecError } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';
import { VERSION_3 } from '../base/protocol.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Membership } from '../state/membership.js';
import type { Room } from '../state/room.js';
import { FRAME_ROOM, FRAME_SINCE, frame } from '../wire/frame.js';

/** Of a member that said nothing for so long nothing is known. */
const STALE_MS = 5_000;

export interface RoomNewsParts {
  readonly env: Pick<Env, 'clock' | 'network'>;
  readonly membership: Pick<Membership, 'self' | 'addresses' | 'voters' | 'isQuorum'>;
  readonly room: Pick<Room, 'short' | 'subscribe'>;
  /** See `hooks/healing-hooks.ts`. */
  readonly healing: { readonly hasLost: boolean };
  readonly state: Pick<ReplicatedState, 'version'>;
}

/** Bits of the news. The second is for members of the third version. */
const SHORT = 1;
const LOST = 2;

interface News {
  readonly short: boolean;
  readonly lost: boolean;
}

export class RoomNews {
  readonly #parts: RoomNewsParts;
  readonly #heard = new Map<NodeId, News & { readonly at: number }>();

  readonly #subscribers: (() => void)[] = [];

  constructor(parts: RoomNewsParts) {
    this.#parts = parts;
    parts.room.subscribe(() => {
      this.say();
      this.#changed();
    });
  }

  /** After each news that say something else than the last, this member's own too. */
  subscribe(subscriber: () => void): void {
    this.#subscribers.push(subscriber);
  }

  /** A member of the first version could not read it. */
  say(): void {
    const { env, membership, room, healing, state } = this.#parts;
    if (state.version < FRAME_SINCE[FRAME_ROOM]) return;
    const lost = state.version >= VERSION_3 && healing.hasLost;
    const body = frame(FRAME_ROOM, Uint8Array.of((room.short ? SHORT : 0) | (lost ? LOST : 0)));
    for (const id of membership.addresses.keys()) env.network.send(id, body);
  }

  /** Throws CodecError. */
  heard(from: NodeId, body: Uint8Array): void {
    const bits = body[0] ?? Infinity;
    if (body.length !== 1 || bits > (SHORT | LOST)) throw new CodecError('news of room that say neither yes nor no');
    const before = this.isShort(from);
    this.#heard.set(from, { short: (bits & SHORT) > 0, lost: (bits & LOST) > 0, at: this.#parts.env.clock.now() });
    if (this.isShort(from) !== before) this.#changed();
  }

  #changed(): void {
    for (const subscriber of this.#subscribers) subscriber();
  }

  /** Undefined: it is not known. */
  isShort(member: NodeId): boolean | undefined {
    return this.#newsOf(member)?.short;
  }

  /**
   * D1 whether it knows of a block of which no member has a good copy. Undefined: it is not known.
   * Who is no member any more has lost nothing.
   */
  hasLost(member: NodeId): boolean | undefined {
    const { membership } = this.#parts;
    if (member !== membership.self && !membership.addresses.has(member)) return false;
    return this.#newsOf(member)?.lost;
  }

  #newsOf(member: NodeId): News | undefined {
    const { env, membership, room, healing } = this.#parts;
    if (member === membership.self) return { short: room.short, lost: healing.hasLost };
    const news = this.#heard.get(member);
    return news === undefined || env.clock.now() - news.at > STALE_MS ? undefined : news;
  }

  /** Members of which it is known that they know of a block that is lost. */
  withLosses(): NodeId[] {
    const { membership } = this.#parts;
    return [membership.self, ...membership.addresses.keys()].filter((id) => this.hasLost(id) === true);
  }

  /** Voters whose disks are known to be full. */
  short(): NodeId[] {
    return this.#parts.membership.voters.filter((id) => this.isShort(id) === true);
  }

  /** Whether a quorum of voters (of each half, if there are two) is known to have room. */
  get quorumHasRoom(): boolean {
    return this.#isQuorum((short) => short === false);
  }

  /** Whether no quorum is left without those whose disks are full. */
  get quorumIsShort(): boolean {
    return !this.#isQuorum((short) => short !== true);
  }

  #isQuorum(counts: (short: boolean | undefined) => boolean): boolean {
    const { membership } = this.#parts;
    return membership.isQuorum(new Set(membership.voters.filter((id) => counts(this.isShort(id)))));
  }
}
