/**
 * One-way frames between members: a kind byte, a format byte, then the record. A frame may be lost,
 * repeated or late, so whatever is sent this way is either Raft's (which copes) or said again until
 * it shows. A format that is not known is refused as bytes that do not parse are.
 */

import { assert } from '../../base/assert.js';
import { ByteWriter } from '../../base/bytes.js';
import { CodecError } from '../../base/errors.js';
import { writeMessages } from '../../raft/message-codec.js';
import type { Entry, Message } from '../../raft/types.js';

export const FRAME_RAFT = 1;
export const FRAME_GOSSIP = 2;
export const FRAME_REPORT = 3;
export const FRAME_REDO = 4;
export const FRAME_SNAPSHOT_ALIVE = 5;

/** Of all kinds but Raft's, whose batches say their own. */
const FORMAT = 1;
const HEAD_BYTES = 2;

export type FrameKind =
  | typeof FRAME_RAFT
  | typeof FRAME_GOSSIP
  | typeof FRAME_REPORT
  | typeof FRAME_REDO
  | typeof FRAME_SNAPSHOT_ALIVE;

export function frame(kind: FrameKind, body: Uint8Array): Uint8Array {
  assert(kind > FRAME_RAFT && kind <= FRAME_SNAPSHOT_ALIVE, `a frame of kind ${kind} is made of messages, or not known`);
  const out = new Uint8Array(HEAD_BYTES + body.length);
  out[0] = kind;
  out[1] = FORMAT;
  out.set(body, HEAD_BYTES);
  return out;
}

/** The record of a frame that is not Raft's. Throws CodecError for a format that is not known. */
export function bodyOf(bytes: Uint8Array): Uint8Array {
  if (bytes[1] !== FORMAT) throw new CodecError(`a frame of kind ${bytes[0]} has format ${bytes[1]}, which is not known`);
  return bytes.subarray(HEAD_BYTES);
}

/**
 * Messages to one peer, in order: one frame, or as many as it takes to have at most `maxBytes` of
 * payload or one message in each.
 */
export function raftFrames(messages: readonly Message[], maxBytes: number): Uint8Array[] {
  assert(maxBytes > 0, `a frame holds ${maxBytes} bytes`);
  const frames: Uint8Array[] = [];
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < messages.length; i++) {
    const next = payloadBytes(messages[i] as Message);
    if (i > from && bytes + next > maxBytes) {
      frames.push(raftFrame(messages.slice(from, i)));
      from = i;
      bytes = 0;
    }
    bytes += next;
  }
  if (from < messages.length) frames.push(raftFrame(from === 0 ? messages : messages.slice(from)));
  return frames;
}

/** Holds the largest frame so far: one of a few MiB at most. */
const scratch = new ByteWriter(4096);

function raftFrame(messages: readonly Message[]): Uint8Array {
  scratch.reset().u8(FRAME_RAFT);
  writeMessages(scratch, messages);
  return scratch.finish();
}

function payloadBytes(message: Message): number {
  let bytes = message.snapshot?.data?.length ?? 0;
  for (let i = 0; i < message.entries.length; i++) bytes += (message.entries[i] as Entry).data.length;
  return bytes;
}
