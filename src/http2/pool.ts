/**
 * What the connections of one server share: memory that is used again, and the end of the turn.
 * What was lent comes back on every way out; `lent` counts show it.
 */

import type { Clock } from '../base/env.js';
import { BlockPool, FrameBufferPool } from './block-pool.js';
import { StreamPool } from './stream-pool.js';
import { TurnEnd } from './turn-end.js';

export class Http2Pool {
  readonly blocks = new BlockPool();
  readonly frames = new FrameBufferPool();
  readonly streams = new StreamPool();
  readonly turn: TurnEnd;

  constructor(clock: Clock) {
    this.turn = new TurnEnd(clock);
  }
}
