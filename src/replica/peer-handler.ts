/**
 * What peers may ask of this member, once it is open (before, `start/early-handler.ts` answers). A
 * frame may be lost, repeated or late; a call is answered. Until the state is loaded only a running
 * transfer may say that it is alive. What does not parse, or claims what its sender cannot say, is
 * dropped with a warning: a peer's bytes never stop this member.
 */

import type { Env, NetworkHandler } from '../base/env.js';
import { CodecError, messageOf } from '../base/errors.js';
import { formatId, type NodeId } from '../base/ids.js';
import { decodeMessages } from '../raft/message-codec.js';
import type { Message } from '../raft/types.js';
import { decodeNews, type Gossip, type MemberNews } from './consensus/gossip.js';
import type { RoomNews } from './consensus/room-news.js';
import type { RaftDriver } from './consensus/raft-driver.js';
import { ACTED_METHOD, DOWNGRADE_METHOD, SHED_METHOD, type Downgrades } from './downgrades.js';
import { EntryError } from './entry/errors.js';
import { checkReceived } from './entry/received.js';
import { isTableCall, type TableServer } from './fetch/table-server.js';
import type { HealingHooks } from './hooks/healing-hooks.js';
import type { ReplicatedState } from './kv/replicated-state.js';
import { KEEP_ALIVE_METHOD, TIME_LEFT_METHOD } from './lease/lease-calls.js';
import type { LeaseRouter } from './lease/lease-router.js';
import type { Removal } from './removal.js';
import { CHANGE_MEMBERS_METHOD, type MemberChanges } from './member-changes.js';
import { LOG_ENTRIES_METHOD } from './log-recovery/entries-call.js';
import type { LogServer } from './log-recovery/log-server.js';
import { READMIT_METHOD } from './readmission/call.js';
import type { Readmissions } from './readmissions.js';
import { serveVersion, VERSION_METHOD } from './snapshot/peer-versions.js';
import type { SnapshotReceiver } from './snapshot/snapshot-receiver.js';
import type { SnapshotSender } from './snapshot/snapshot-sender.js';
import { VERSION_PART_METHOD } from './snapshot/version-message.js';
import { servePart } from './snapshot/version-part.js';
import type { PromisesStore } from './start/promises-store.js';
import { REMEMBERED_METHOD, type PeerMemory } from './start/start-check.js';
import { DESCRIBE_METHOD, encodeDescription } from './state/description.js';
import type { Life } from './state/life.js';
import type { Membership } from './state/membership.js';
import type { TreeMachine } from './tree/tree-machine.js';
import { bodyOf, FRAME_GOSSIP, FRAME_RAFT, FRAME_REDO, FRAME_REPORT, FRAME_ROOM, FRAME_SNAPSHOT_ALIVE } from './wire/frame.js';

export interface PeerHandlerParts {
  readonly env: Env;
  readonly clusterId: bigint;
  readonly life: Life;
  readonly driver: RaftDriver;
  readonly gossip: Gossip;
  readonly rooms: RoomNews;
  readonly promises: Pick<PromisesStore, 'heard'>;
  readonly machine: TreeMachine;
  readonly sender: SnapshotSender;
  readonly receiver: SnapshotReceiver;
  readonly tableServer: TableServer;
  readonly logServer: LogServer;
  readonly peerMemory: PeerMemory;
  readonly membership: Membership;
  readonly state: Pick<ReplicatedState, 'version'>;
  readonly memberChanges: Pick<MemberChanges, 'answer'>;
  readonly readmissions: Readmissions;
  readonly downgrades: Pick<Downgrades, 'answer'>;
  readonly leaseRouter: Pick<LeaseRouter, 'answer'>;
  readonly removal: Removal;
  readonly healing: HealingHooks;
}

export class PeerHandler implements NetworkHandler {
  readonly #parts: PeerHandlerParts;

  constructor(parts: PeerHandlerParts) {
    this.#parts = parts;
  }

  onFrame(from: NodeId, bytes: Uint8Array): void {
    const { env, life, membership } = this.#parts;
    if (life.ended || membership.isRemoved(from)) return;
    try {
      this.#receive(from, bytes);
    } catch (error) {
      if (!(error instanceof CodecError || error instanceof EntryError)) return life.fail(error);
      env.events.emit({ type: 'warning', message: 'a peer sent a frame that does not parse', data: { from, why: messageOf(error) } });
    }
  }

  onCall(from: NodeId, method: string, request: Uint8Array): Promise<Uint8Array> {
    const { env, tableServer, logServer, peerMemory, sender, healing, clusterId, membership } = this.#parts;
    const { memberChanges, readmissions, downgrades, leaseRouter } = this.#parts;
    if (method === DESCRIBE_METHOD) return Promise.resolve(encodeDescription({ clusterId, members: membership.newest }));
    if (isTableCall(method)) return tableServer.answer(request);
    if (method === LOG_ENTRIES_METHOD) return logServer.answer(request);
    if (method === REMEMBERED_METHOD) return peerMemory.answer(from, request);
    if (method === VERSION_METHOD) return Promise.resolve(serveVersion(sender, from));
    if (method === VERSION_PART_METHOD) return servePart(env, sender, from, request);
    if (method === CHANGE_MEMBERS_METHOD) return memberChanges.answer(request);
    if (method === READMIT_METHOD) return readmissions.answer(request);
    if (method === KEEP_ALIVE_METHOD || method === TIME_LEFT_METHOD) return leaseRouter.answer(method, request);
    if (method === DOWNGRADE_METHOD || method === SHED_METHOD || method === ACTED_METHOD) return downgrades.answer(method, request);
    return healing.onCall(from, method, request);
  }

  onRemoved(peer: NodeId): void {
    this.#parts.removal.told(`member ${formatId(peer)} says so`);
  }

  onDisconnect(peer: NodeId): void {
    if (this.#parts.life.serving) this.#parts.driver.peerLost(peer);
  }

  #receive(from: NodeId, bytes: Uint8Array): void {
    const { life, sender, rooms, machine } = this.#parts;
    if (bytes[0] === FRAME_SNAPSHOT_ALIVE) return sender.alive(from);
    if (!life.serving) return;
    switch (bytes[0]) {
      case FRAME_RAFT:
        for (const message of decodeMessages(bytes, 1)) this.#receiveMessage(from, message);
        return;
      case FRAME_GOSSIP:
        return this.#receiveNews(from, decodeNews(bodyOf(bytes)));
      case FRAME_ROOM:
        return rooms.heard(from, bodyOf(bytes));
      case FRAME_REPORT:
        return machine.onReport(from, bodyOf(bytes));
      case FRAME_REDO:
        return machine.onRedo(from, bodyOf(bytes));
      default:
        throw new CodecError(`frame of unknown kind ${bytes[0]}`);
    }
  }

  #receiveNews(from: NodeId, news: MemberNews): void {
    const { gossip, promises } = this.#parts;
    promises.heard.noteApplied(from, news.applied);
    gossip.heard(from, news);
  }

  #receiveMessage(from: NodeId, message: Message): void {
    const { driver, receiver, promises, state } = this.#parts;
    if (message.from !== from && message.type !== 'MsgTransferLeader' && message.type !== 'MsgProp' && message.type !== 'MsgReadIndex') {
      throw new CodecError(`${message.type} claims to be from ${message.from}`);
    }
    checkReceived(message, state.version);
    promises.heard.note(message);
    const { node } = driver;
    if (message.type === 'MsgSnap' && message.term >= node.term && (message.snapshot?.metadata.index ?? 0) > node.commit) receiver.offer(message);
    else driver.step(message);
  }
}
