/** A batch of messages as bytes of its own. What ships writes batches into frames instead. */

import { ByteWriter } from '../../base/bytes.js';
import { writeMessages } from '../message-codec.js';
import type { Message } from '../types.js';

export function encodeMessages(messages: readonly Message[]): Uint8Array {
  const out = new ByteWriter();
  writeMessages(out, messages);
  return out.finish();
}
