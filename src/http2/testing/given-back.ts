/** However a connection has ended, it holds nothing, and its streams were told so, once each. */

import assert from 'node:assert/strict';
import type { ConnectionUsage, ServerConnection } from '../connection.js';
import type { Http2Pool } from '../pool.js';
import type { TestHandler } from './test-handler.js';

const NOTHING: ConnectionUsage = { openStreams: 0, lingeringStreams: 0, requestBytes: 0, heldBytes: 0, outputBytes: 0, unsentBytes: 0 };

export interface Ended {
  readonly connection: ServerConnection;
  readonly pool: Http2Pool;
  readonly handler: TestHandler;
}

/** Of a connection that is closed and is the only one of its pool. */
export function assertGivenBack({ connection, pool, handler }: Ended): void {
  for (const call of handler.calls) {
    assert.notEqual(call.over, undefined, `stream ${call.id} is over`);
    call.release();
  }
  assert.deepEqual(connection.usage, NOTHING);
  const lent = { blocks: pool.blocks.lent, frames: pool.frames.lent, streams: pool.streams.lent };
  assert.deepEqual(lent, { blocks: 0, frames: 0, streams: 0 });
}
