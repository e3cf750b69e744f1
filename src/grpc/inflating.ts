/**
 * What becomes of a compressed message: its bytes, or the status that ends its call. While it waits
 * for its turn to be inflated it counts among the unfinished requests.
 */

import { messageOf } from '../base/errors.js';
import { Code } from './code.js';
import type { Encoding } from './hooks.js';
import { NO_ROOM } from './message-reader.js';
import type { Shared } from './shared.js';
import type { RpcStatus } from './status.js';

const NO_ENCODING: RpcStatus = { code: Code.INTERNAL, details: 'grpc: compressed flag set with identity or empty encoding' };

/** Never rejects. `encoding`: what the head of the request says; undefined: none. */
export async function inflated(shared: Shared, encoding: Encoding | undefined, bytes: Uint8Array): Promise<Uint8Array | RpcStatus> {
  if (encoding === undefined) return NO_ENCODING;
  if (!shared.unfinished.take(bytes.length)) return NO_ROOM;
  const maxBytes = shared.limits.maxReceiveBytes;
  try {
    const whole = await shared.inflater.inflate(encoding, bytes, maxBytes);
    if (whole !== undefined) return whole;
    return { code: Code.RESOURCE_EXHAUSTED, details: `grpc: received message after decompression larger than max ${maxBytes}` };
  } catch (error) {
    return { code: Code.INTERNAL, details: `grpc: failed to decompress the received message: ${messageOf(error)}` };
  } finally {
    shared.unfinished.giveBack(bytes.length);
  }
}
