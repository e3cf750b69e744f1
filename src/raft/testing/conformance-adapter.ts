/**
 * The core behind the interface of the conformance harness. The shapes are the same, so there is
 * next to nothing to convert.
 */

import { decodeConfChange } from '../confchange-codec.js';
import { EMPTY_CONF_STATE, enterJoint, leaveJoint, simpleChange } from '../confchange.js';
import { newMessage } from '../message.js';
import { RaftNode } from '../node.js';
import { jointVote, majorityIndex, majorityVote } from '../quorum.js';
import { Tracker } from '../tracker.js';
import type { ConfChangeSingle, ConfState, Entry, LogStorage, Message, ProgressStatus } from '../types.js';
import type { RaftConfig } from '../config.js';

type Operation =
  | { kind: 'simple'; changes: ConfChangeSingle[] }
  | { kind: 'enterJoint'; autoLeave: boolean; changes: ConfChangeSingle[] }
  | { kind: 'leaveJoint' };

/** The harness draws by a plain function. */
type HarnessConfig = Omit<RaftConfig, 'random'> & { readonly random: () => number };

/** The harness builds one message itself (MsgSnap) and leaves out what it does not need. */
function complete(message: Partial<Message>): Message {
  if (message.responses !== undefined) return message as Message;
  return Object.assign(newMessage('MsgSnap', 0, 0, 0), message);
}

class AdapterNode extends RaftNode {
  override step(message: Message): void {
    super.step(complete(message));
  }
}

function committedIndex(incoming: Set<number>, outgoing: Set<number>, acked: Map<number, number>): number {
  const half = (ids: Set<number>): number => majorityIndex([...ids].map((id) => acked.get(id) ?? 0));
  return Math.min(half(incoming), half(outgoing));
}

function voteResult(incoming: Set<number>, outgoing: Set<number>, votes: Map<number, boolean>): string {
  const half = (ids: Set<number>) => {
    const given = [...ids].map((id) => votes.get(id));
    return majorityVote(ids.size, given.filter((v) => v === true).length, given.filter((v) => v === false).length);
  };
  return jointVote(half(incoming), half(outgoing));
}

function createConfChanger() {
  const tracker = new Tracker(10, Infinity);
  let config: ConfState = EMPTY_CONF_STATE;
  return {
    apply(operation: Operation, lastIndex: number): { config: ConfState; progress: Map<number, ProgressStatus> } {
      if (operation.kind === 'simple') config = simpleChange(config, operation.changes);
      else if (operation.kind === 'enterJoint') config = enterJoint(config, operation.autoLeave, operation.changes);
      else config = leaveJoint(config);
      tracker.switchTo(config, lastIndex);
      return { config, progress: new Map(tracker.peers.map((peer) => [peer.id, peer.status()])) };
    },
  };
}

export const adapter = {
  name: 'kintsugi',
  capabilities: { asyncStorageWrites: true, confChangeV1: false },
  createNode: ({ random, ...config }: HarnessConfig, storage: LogStorage) =>
    new AdapterNode({ ...config, random: { float: random } }, storage),
  decodeConfChange: (entry: Entry) => decodeConfChange(entry.data),
  quorum: { committedIndex, voteResult },
  createConfChanger,
};

