/**
 * A log that finds no room for its next segment. C1: the member does not stop for that. What was to
 * be written is given up like a message that was lost: the core begins anew from what is durable,
 * and nobody was told of more (R2). A leader is none from then on. Until there is room the member
 * takes no entries and no snapshots, and does not campaign; it hears its leader, votes, and serves
 * reads of what it has applied.
 */

import { assert } from '../../base/assert.js';
import type { Message } from '../../raft/types.js';
import type { DurableLog } from '../log/durable-log.js';
import { LogError } from '../log/errors.js';
import { isNoSpace, type Room } from '../state/room.js';
import type { Life } from '../state/life.js';

interface LogRoomParts {
  readonly life: Life;
  readonly log: Pick<DurableLog, 'makeRoom'>;
  readonly room: Room;
}

/** The Raft driver. */
export interface LogRoomOwner {
  /** Entries are taken again. */
  roomAgain(): void;
}

export class LogRoom {
  readonly #parts: LogRoomParts;
  readonly #owner: LogRoomOwner;
  #refusing = false;
  #looking = false;

  constructor(parts: LogRoomParts, owner: LogRoomOwner) {
    this.#parts = parts;
    this.#owner = owner;
    parts.room.subscribe((short) => {
      if (!short) void this.#look();
    });
  }

  /** Entries are not taken. */
  get refusing(): boolean {
    return this.#refusing;
  }

  /** A write failed. False: not for want of room in the log. */
  ranOut(error: unknown): boolean {
    if (!(error instanceof LogError) || error.code !== 'NO_SPACE') return false;
    assert(!this.#refusing, 'C1 a log without room is asked to write nothing');
    this.#refusing = true;
    this.#parts.room.ranOut(error, false);
    return true;
  }

  /** To be taken as lost: whoever sent it sends it again. */
  refuses({ type, entries }: Message): boolean {
    return this.#refusing && (type === 'MsgSnap' || (type === 'MsgApp' && entries.length > 0));
  }

  async #look(): Promise<void> {
    const { log, room, life } = this.#parts;
    if (!this.#refusing || this.#looking) return;
    this.#looking = true;
    try {
      await log.makeRoom();
      this.#refusing = false;
    } catch (error) {
      if (isNoSpace(error)) room.ranOut(error, false);
      else life.fail(error);
    } finally {
      this.#looking = false;
    }
    if (!this.#refusing && !life.ended) this.#owner.roomAgain();
  }
}
