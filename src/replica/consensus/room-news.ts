/**
 * Members tell each other whether their disks have room: once a second, and at once when that
 * changes, because a log takes little more once the tree finds no room. What was not said again for
 * a while is not known: a leader raises no alarm for it, and takes none back.
 */

import { CodecError } from '../../base/errors.js';
import type { Env } from '../../base/env.js';
import type { NodeId } from '../../base/ids.js';
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
  readonly state: Pick<ReplicatedState, 'version'>;
}

export class RoomNews {
  readonly #parts: RoomNewsParts;
  readonly #heard = new Map<NodeId, { readonly short: boolean; readonly at: number }>();

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
    const { env, membership, room, state } = this.#parts;
    if (state.version < FRAME_SINCE[FRAME_ROOM]) return;
    const body = frame(FRAME_ROOM, Uint8Array.of(room.short ? 1 : 0));
    for (const id of membership.addresses.keys()) env.network.send(id, body);
  }

  /** Throws CodecError. */
  heard(from: NodeId, body: Uint8Array): void {
    if (body.length !== 1 || (body[0] as number) > 1) throw new CodecError('news of room that say neither yes nor no');
    const before = this.isShort(from);
    this.#heard.set(from, { short: body[0] === 1, at: this.#parts.env.clock.now() });
    if (this.isShort(from) !== before) this.#changed();
  }

  #changed(): void {
    for (const subscriber of this.#subscribers) subscriber();
  }

  /** Undefined: it is not known. */
  isShort(member: NodeId): boolean | undefined {
    const { env, membership, room } = this.#parts;
    if (member === membership.self) return room.short;
    const news = this.#heard.get(member);
    return news === undefined || env.clock.now() - news.at > STALE_MS ? undefined : news.short;
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
