/**
 * Whether this member's disk has room. C1: a disk that is full stops nobody. Whoever is refused
 * room says so here, keeps what it wanted to write, and tries again; from then on this member is
 * *short* until the reserve could be written again (`reserve.ts`): that is looked at in ever longer
 * pauses, which begin anew only after the disk had room for a while.
 *
 * Short means: the tree may use the reserve, a leader hands over to a member that has room, and the
 * others are told. A log that finds no room takes no entries at all (`consensus/log-fence.ts`).
 */

import { assert } from '../../base/assert.js';
import type { Env, Timer } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { Life } from './life.js';
import type { Reserve } from './reserve.js';

const FIRST_LOOK_MS = 250;
const LAST_LOOK_MS = 2_000;
/** A disk that had room for so long is looked at often again when it has none. */
const QUIET_MS = 30_000;

export interface RoomParts {
  readonly env: Pick<Env, 'clock' | 'events'>;
  readonly life: Life;
  readonly reserve: Reserve;
}

export class Room {
  readonly #parts: RoomParts;
  readonly #subscribers: ((short: boolean) => void)[] = [];
  #why: string | undefined;
  #lookMs = FIRST_LOOK_MS;
  /** When there was room again, by the clock. */
  #roomSince = -Infinity;
  #timer: Timer | undefined;
  #looking = false;

  constructor(parts: RoomParts) {
    this.#parts = parts;
  }

  /** Something was refused room, and there is none yet. */
  get short(): boolean {
    return this.#why !== undefined;
  }

  /** What was refused, in words; undefined while there is room. */
  get why(): string | undefined {
    return this.#why;
  }

  /** After each change: at once, in order of subscription. */
  subscribe(subscriber: (short: boolean) => void): void {
    this.#subscribers.push(subscriber);
  }

  /** The member serves: the reserve is made if it is not there. */
  start(): void {
    if (this.#parts.reserve.isWhole || this.short) return;
    void this.#look();
  }

  /** Nothing more is looked at; resolves when the files of the reserve are at rest. */
  async stop(): Promise<void> {
    this.#timer?.cancel();
    await this.#parts.reserve.idle();
  }

  /** `error`: what the disk said to whoever tries again later. The tree gets the reserve. */
  ranOut(error: unknown, forTree: boolean): void {
    assert(isNoSpace(error), `C1 what waits for room was refused room: ${messageOf(error)}`);
    const { life, reserve, env } = this.#parts;
    if (life.ended) return;
    if (!this.short && env.clock.now() - this.#roomSince >= QUIET_MS) this.#lookMs = FIRST_LOOK_MS;
    this.#become(this.#why ?? messageOf(error));
    if (forTree) void reserve.release();
    this.#arm();
  }

  #arm(): void {
    if (this.#timer !== undefined || this.#looking || this.#parts.life.ended) return;
    this.#timer = this.#parts.env.clock.setTimer(this.#lookMs, () => {
      this.#timer = undefined;
      void this.#look();
    });
    this.#lookMs = Math.min(2 * this.#lookMs, LAST_LOOK_MS);
  }

  async #look(): Promise<void> {
    const { life, reserve, env } = this.#parts;
    if (this.#looking || life.ended) return;
    this.#looking = true;
    try {
      const there = await reserve.regain();
      if (life.ended) return;
      if (there) this.#roomSince = env.clock.now();
      this.#become(there ? undefined : (this.#why ?? 'there is no room for the reserve'));
    } catch (error) {
      life.fail(error);
    } finally {
      this.#looking = false;
    }
    if (this.short) this.#arm();
  }

  #become(why: string | undefined): void {
    const changed = (this.#why === undefined) !== (why === undefined);
    this.#why = why;
    if (!changed) return;
    this.#parts.env.events.emit({ type: 'disk-room', short: this.short, why: why ?? '' });
    for (const subscriber of this.#subscribers) subscriber(this.short);
  }
}

/** The disk, or a log on it, is full. */
export function isNoSpace(error: unknown): boolean {
  return codeOf(error) === 'NO_SPACE';
}
