/**
 * A log that takes nothing for now: there is no room for its next segment, or its disk refused a
 * write or a sync. C1: the member does not stop for that. What was to be written is given up like a
 * message that was lost: the core begins anew from what is durable, and nobody was told of more
 * (R2). A leader is none from then on. Until the log takes entries again the member takes no
 * entries and no snapshots, and does not campaign; it hears its leader, votes (what it acknowledged
 * is durable, and it knows what that is), and serves reads of what it has applied. Then whoever
 * leads sends it what it lacks.
 *
 * A log without room waits for some. One that failed goes on in a fresh segment, and in another one
 * if that fails, too, ever less often: what failed is never written to or synced again.
 */

import { assert } from '../../base/assert.js';
import { sleep, type Env } from '../../base/env.js';
import type { Message } from '../../raft/types.js';
import type { DurableLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';
import { isNoSpace, type Room } from '../state/room.js';
import type { Life } from '../state/life.js';

export const LOG_RENEWED = 'the log goes on in a fresh segment';

interface LogFenceParts {
  readonly env: Pick<Env, 'clock' | 'events'>;
  readonly life: Life;
  readonly log: Pick<DurableLog, 'makeRoom' | 'renew'>;
  readonly room: Room;
}

/** The Raft driver. */
export interface FencedLogOwner {
  /** Entries are taken again. */
  logTakesAgain(): void;
}

const FIRST_PAUSE_MS = 100;
const MAX_PAUSE_MS = 5_000;

export class LogFence {
  readonly #parts: LogFenceParts;
  readonly #owner: FencedLogOwner;
  #why: string | undefined;
  #failed = false;
  /** It is being looked whether the log takes entries again. */
  #looking = false;

  constructor(parts: LogFenceParts, owner: FencedLogOwner) {
    this.#parts = parts;
    this.#owner = owner;
    parts.room.subscribe((short) => {
      if (!short) void this.#look();
    });
  }

  /** Why entries are not taken; undefined: they are. */
  get why(): string | undefined {
    return this.#why;
  }

  /** A write failed. False: not for what the log could get over. */
  refusedBy(error: unknown): boolean {
    if (!(error instanceof LogError)) return false;
    const { room, env } = this.#parts;
    const isFull = isNoSpace(error);
    if (!isFull && !hasFailed(error)) return false;
    assert(this.#why === undefined, 'C1 a log that takes nothing is asked to write nothing');
    this.#why = error.message;
    this.#failed = !isFull;
    if (isFull) room.ranOut(error, false);
    else {
      env.events.emit({ type: 'disk-failed', what: 'log', why: error.message });
      void this.#look();
    }
    return true;
  }

  /** To be taken as lost: whoever sent it sends it again. */
  refuses({ type, entries }: Message): boolean {
    return this.#why !== undefined && (type === 'MsgSnap' || (type === 'MsgApp' && entries.length > 0));
  }

  async #look(): Promise<void> {
    const { life } = this.#parts;
    if (this.#why === undefined || this.#looking) return;
    this.#looking = true;
    try {
      if (await this.#takesAgain()) this.#why = undefined;
    } catch (error) {
      life.fail(error);
    } finally {
      this.#looking = false;
    }
    if (this.#why === undefined && !life.ended) this.#owner.logTakesAgain();
  }

  /** False: there is no room, and there will be news of it. */
  async #takesAgain(): Promise<boolean> {
    const { env, log, room, life } = this.#parts;
    for (let pauseMs = FIRST_PAUSE_MS; !life.ended; pauseMs = Math.min(2 * pauseMs, MAX_PAUSE_MS)) {
      try {
        await log.renew();
        await log.makeRoom();
        if (this.#failed) env.events.emit({ type: 'warning', message: LOG_RENEWED, data: { why: this.#why ?? '' } });
        return true;
      } catch (error) {
        if (life.ended) return false;
        if (isNoSpace(error)) {
          room.ranOut(error, false);
          return false;
        }
        if (!hasFailed(error)) throw error;
        this.#failed = true;
        await sleep(env.clock, pauseMs);
      }
    }
    return false;
  }
}

/** The disk refused a write or a sync, not for want of room. */
export function hasFailed(error: unknown): boolean {
  return error instanceof LogError && (error.code === 'SYNC_FAILED' || error.code === 'WRITE_FAILED');
}
