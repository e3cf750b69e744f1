/**
 * The heads of the messages in a frame, read where they lie: what the checks need of each of some
 * hundred thousand messages, without making an object of any. The format is that of
 * raft/message-codec, which a test holds this to.
 */

import { FRAME_RAFT } from '../../../replica/wire/frame.js';

/** The position is the number on the wire. */
export const MESSAGE_TYPES = [
  'MsgProp', 'MsgApp', 'MsgAppResp', 'MsgVote', 'MsgVoteResp', 'MsgPreVote', 'MsgPreVoteResp', 'MsgSnap',
  'MsgHeartbeat', 'MsgHeartbeatResp', 'MsgTimeoutNow', 'MsgTransferLeader', 'MsgReadIndex', 'MsgReadIndexResp',
] as const;

export const MSG_PROP = 0;
export const MSG_APP = 1;
export const MSG_APP_RESP = 2;
export const MSG_VOTE = 3;
export const MSG_VOTE_RESP = 4;
export const MSG_SNAP = 7;
export const MSG_HEARTBEAT = 8;
export const MSG_HEARTBEAT_RESP = 9;
export const MSG_TIMEOUT_NOW = 10;

/** Filled in anew for each message. */
export interface MessageHead {
  /** Position in {@link MESSAGE_TYPES}. */
  type: number;
  from: number;
  to: number;
  term: number;
  logTerm: number;
  index: number;
  commit: number;
  reject: boolean;
  /** In the message. */
  entries: number;
  /** One of them shapes the tree. */
  treeOps: boolean;
  /** Of heartbeats and their answers. */
  round: number;
}

/** The first byte of an entry that shapes the tree: see replica/entry. */
export const TREE_ENTRY = 3;

const LOG_TERM = 1;
const INDEX = 2;
const COMMIT = 4;
const REJECT = 8;
const ENTRIES = 16;
const SNAPSHOT = 32;
const ROUND = 64;
const CONTEXT = 128;
const ENTRY_FOLLOWS = 2;
const BATCH_VERSION = 1;

export class RaftFrameReader {
  readonly head: MessageHead = {
    type: 0, from: 0, to: 0, term: 0, logTerm: 0, index: 0, commit: 0, reject: false, entries: 0, treeOps: false, round: 0,
  };
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #left = 0;

  /** False: no frame of Raft's. */
  open(frame: Uint8Array): boolean {
    if (frame[0] !== FRAME_RAFT || frame[1] !== BATCH_VERSION) return false;
    this.#bytes = frame;
    this.#at = 2;
    this.#left = this.#varint();
    return true;
  }

  /** Moves to the next message; false at the end. */
  next(): boolean {
    if (this.#left === 0) return false;
    this.#left--;
    const { head } = this;
    head.type = this.#bytes[this.#at++] as number;
    const flags = this.#varint();
    head.from = this.#varint();
    head.to = this.#varint();
    head.term = this.#varint();
    head.logTerm = flags & LOG_TERM ? this.#varint() : 0;
    head.index = flags & INDEX ? this.#varint() : 0;
    head.commit = flags & COMMIT ? this.#varint() : 0;
    head.reject = (flags & REJECT) !== 0;
    if (head.reject) this.#varint();
    head.treeOps = false;
    head.entries = flags & ENTRIES ? this.#entries() : 0;
    if (flags & SNAPSHOT) this.#snapshot();
    head.round = flags & ROUND ? this.#varint() : 0;
    if (flags & CONTEXT) this.#skipBytes();
    return true;
  }

  #entries(): number {
    const count = this.#varint();
    for (let i = 0; i < count; i++) {
      const flags = this.#bytes[this.#at++] as number;
      if (!(flags & ENTRY_FOLLOWS)) {
        this.#varint();
        this.#varint();
      }
      const length = this.#varint();
      if (length > 0 && this.#bytes[this.#at] === TREE_ENTRY) this.head.treeOps = true;
      this.#at += length;
    }
    return count;
  }

  #snapshot(): void {
    this.#varint();
    this.#varint();
    for (let list = 0; list < 4; list++) for (let n = this.#varint(); n > 0; n--) this.#varint();
    this.#at++;
    if (this.#bytes[this.#at++] === 1) this.#skipBytes();
  }

  #skipBytes(): void {
    const length = this.#varint();
    this.#at += length;
  }

  #varint(): number {
    let result = 0;
    let scale = 1;
    for (;;) {
      const byte = this.#bytes[this.#at++];
      // A frame that ends too early was not made by a replica: nothing is read into it.
      if (byte === undefined) {
        this.#left = 0;
        return 0;
      }
      result += (byte & 0x7f) * scale;
      if (byte < 0x80) return result;
      scale *= 0x80;
    }
  }
}
