/**
 * One-way frames between members: a kind byte, a format byte, then the record. A frame may be lost,
 * repeated or late, so whatever is sent this way is either Raft's (which copes) or said again until
 * it shows. A format that is not known is refused as bytes that do not parse are.
 */

import { assert } from '../../base/assert.js';
import { ByteWriter, KiB, MiB } from '../../base/bytes.js';
import type { Lane } from '../../base/env.js';
import { CodecError } from '../../base/errors.js';
import { writeMessages } from '../../raft/message-codec.js';
import type { Entry, Message } from '../../raft/types.js';
import { FIRST_VERSION, VERSION_2, type Since } from '../base/protocol.js';

export const FRAME_RAFT = 1;
export const FRAME_GOSSIP = 2;
export const FRAME_REPORT = 3;
export const FRAME_REDO = 4;
export const FRAME_SNAPSHOT_ALIVE = 5;
export const FRAME_ROOM = 8;

/** Of all kinds but Raft's, whose batches say their own. */
const FORMAT = 1;
const HEAD_BYTES = 2;

export type FrameKind =
  | typeof FRAME_RAFT
  | typeof FRAME_GOSSIP
  | typeof FRAME_REPORT
  | typeof FRAME_REDO
  | typeof FRAME_SNAPSHOT_ALIVE
  | typeof FRAME_ROOM;

/** From which version of the cluster on a frame of each kind is sent. */
export const FRAME_SINCE: Since<FrameKind> = {
  [FRAME_RAFT]: FIRST_VERSION,
  [FRAME_GOSSIP]: FIRST_VERSION,
  [FRAME_REPORT]: FIRST_VERSION,
  [FRAME_REDO]: FIRST_VERSION,
  [FRAME_SNAPSHOT_ALIVE]: FIRST_VERSION,
  [FRAME_ROOM]: VERSION_2,
};

export function frame(kind: FrameKind, body: Uint8Array): Uint8Array {
  assert(kind > FRAME_RAFT && kind <= FRAME_ROOM, `a frame of kind ${kind} is made of messages, or not known`);
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

export interface RaftFrame {
  readonly lane: Lane;
  readonly bytes: Uint8Array;
}

/**
 * Messages to one peer: those that carry entries or a snapshot in one lane, in order, all others in
 * the other. One frame, or as many as it takes to have at most `maxBytes` of payload or one message
 * in each.
 */
export function raftFrames(messages: readonly Message[], maxBytes: number): RaftFrame[] {
  assert(maxBytes > 0, `a frame holds ${maxBytes} bytes`);
  const frames: RaftFrame[] = [];
  // Nearly always all are of one lane.
  if (!messages.some(isBulk)) pack(frames, 'prompt', messages, maxBytes);
  else if (messages.every(isBulk)) pack(frames, 'bulk', messages, maxBytes);
  else {
    pack(frames, 'prompt', messages.filter((message) => !isBulk(message)), maxBytes);
    pack(frames, 'bulk', messages.filter(isBulk), maxBytes);
  }
  return frames;
}

function isBulk({ type }: Message): boolean {
  return type === 'MsgApp' || type === 'MsgProp' || type === 'MsgSnap';
}

function pack(frames: RaftFrame[], lane: Lane, messages: readonly Message[], maxBytes: number): void {
  let from = 0;
  let bytes = 0;
  for (let i = 0; i < messages.length; i++) {
    const next = payloadBytes(messages[i] as Message);
    if (i > from && bytes + next > maxBytes) {
      frames.push({ lane, bytes: raftFrame(messages.slice(from, i), bytes) });
      from = i;
      bytes = 0;
    }
    bytes += next;
  }
  if (from < messages.length) frames.push({ lane, bytes: raftFrame(from === 0 ? messages : messages.slice(from), bytes) });
}

/** Bytes that an entry takes besides its payload, at most. */
const HEAD_OF_ENTRY = 24;
/** Payload beyond this is written into a buffer of its own, and copied once. */
const SCRATCH_BYTES = 4 * MiB;
/** Holds the largest frame so far that was made here. */
const scratch = new ByteWriter(4096);

function raftFrame(messages: readonly Message[], payload: number): Uint8Array {
  if (payload <= SCRATCH_BYTES) {
    writeMessages(scratch.reset().u8(FRAME_RAFT), messages);
    return scratch.finish();
  }
  const entries = messages.reduce((sum, message) => sum + message.entries.length, 0);
  const own = new ByteWriter(payload + entries * HEAD_OF_ENTRY + messages.length * KiB).u8(FRAME_RAFT);
  writeMessages(own, messages);
  return own.view();
}

function payloadBytes(message: Message): number {
  let bytes = message.snapshot?.data?.length ?? 0;
  for (let i = 0; i < message.entries.length; i++) bytes += (message.entries[i] as Entry).data.length;
  return bytes;
}
