/**
 * C1 R2 A promise (a term, a vote) that a full disk refuses is not given, and ends nobody: whoever
 * asked for it waits, and with him all that rests on it, until there is room. The reserve is given
 * up for it.
 */

import { sleep, type Env } from '../../base/env.js';
import type { HardStatePatch, HardStateStore } from '../hard-state/hard-state.js';
import { isNoSpace, type Room } from '../state/room.js';

const PAUSE_MS = 250;

export interface PromiseParts {
  readonly env: Pick<Env, 'clock'>;
  readonly hardState: Pick<HardStateStore, 'update'>;
  readonly room: Pick<Room, 'ranOut'>;
}

/** Rejects as `update` does; for want of room only once `isOver`. */
export async function keepPromise({ env, hardState, room }: PromiseParts, patch: HardStatePatch, isOver: () => boolean): Promise<void> {
  for (;;) {
    try {
      return await hardState.update(patch);
    } catch (error) {
      if (!isNoSpace(error) || isOver()) throw error;
      room.ranOut(error, true);
    }
    await sleep(env.clock, PAUSE_MS);
  }
}
