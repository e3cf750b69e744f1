/** What to do with a one-way frame from a peer. Until the state is loaded only a running transfer may say that it is alive. */

import { CodecError } from '../base/errors.js';
import type { NodeId } from '../base/ids.js';
import { decodeMessages } from '../raft/message-codec.js';
import type { Message } from '../raft/types.js';
import { FRAME_GOSSIP, FRAME_RAFT, FRAME_REDO, FRAME_REPORT, FRAME_SNAPSHOT_ALIVE } from './wire/frame.js';
import type { RaftDriver } from './consensus/raft-driver.js';
import { decodeNews, type Gossip } from './consensus/gossip.js';
import type { PromisesHeard } from './start/promises-heard.js';
import type { SnapshotReceiver } from './snapshot/snapshot-receiver.js';
import type { SnapshotSender } from './snapshot/snapshot-sender.js';
import type { TreeMachine } from './tree/tree-machine.js';

/** What of a replica frames are for. */
export interface Addressees {
  readonly driver: RaftDriver;
  readonly gossip: Gossip;
  readonly heard: PromisesHeard;
  readonly machine: TreeMachine;
  readonly sender: SnapshotSender;
  readonly receiver: SnapshotReceiver;
}

/** Throws CodecError for a frame that does not parse or claims what its sender cannot say. */
export function receiveFrame(to: Addressees, loaded: boolean, from: NodeId, bytes: Uint8Array): void {
  if (bytes[0] === FRAME_SNAPSHOT_ALIVE) return to.sender.alive(from);
  if (!loaded) return;
  switch (bytes[0]) {
    case FRAME_RAFT:
      for (const message of decodeMessages(bytes, 1)) receiveMessage(to, from, message);
      return;
    case FRAME_GOSSIP:
      return to.gossip.heard(from, decodeNews(bytes, 1));
    case FRAME_REPORT:
      return to.machine.onReport(from, bytes.subarray(1));
    case FRAME_REDO:
      return to.machine.onRedo(from, bytes.subarray(1));
    default:
      throw new CodecError(`frame of unknown kind ${bytes[0]}`);
  }
}

function receiveMessage({ driver, receiver, heard }: Addressees, from: NodeId, message: Message): void {
  if (message.from !== from && message.type !== 'MsgTransferLeader' && message.type !== 'MsgProp' && message.type !== 'MsgReadIndex') {
    throw new CodecError(`${message.type} claims to be from ${message.from}`);
  }
  heard.note(message);
  const { node } = driver;
  if (message.type === 'MsgSnap' && message.term >= node.term && (message.snapshot?.metadata.index ?? 0) > node.commit) receiver.offer(message);
  else driver.step(message);
}
