/**
 * One-way frames between members: a kind byte, then the record. A frame may be lost, repeated or late, so
 * whatever is sent this way is either Raft's (which copes) or said again until it shows.
 */

import { concatBytes } from '../../base/bytes.js';

export const FRAME_RAFT = 1;
export const FRAME_GOSSIP = 2;
export const FRAME_REPORT = 3;
export const FRAME_REDO = 4;
export const FRAME_SNAPSHOT_ALIVE = 5;

export type FrameKind =
  | typeof FRAME_RAFT
  | typeof FRAME_GOSSIP
  | typeof FRAME_REPORT
  | typeof FRAME_REDO
  | typeof FRAME_SNAPSHOT_ALIVE;

export function frame(kind: FrameKind, body: Uint8Array): Uint8Array {
  return concatBytes([Uint8Array.of(kind), body]);
}
