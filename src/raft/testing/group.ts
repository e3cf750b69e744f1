/** A group of nodes with a network between them, stepped by hand. Tests only. */

import { codeOf } from '../../base/errors.js';
import type { NodeId } from '../../base/ids.js';
import { decodeConfChange } from '../confchange-codec.js';
import type { RaftConfig } from '../config.js';
import { RaftNode } from '../node.js';
import type { Entry, Message, MessageType, ReadState, Ready } from '../types.js';
import { MemoryLog } from './memory-log.js';

export interface Member {
  readonly id: NodeId;
  readonly storage: MemoryLog;
  node: RaftNode;
  applied: Entry[];
  reads: ReadState[];
}

export type Settings = Partial<Omit<RaftConfig, 'id'>>;

/** `dropped`: the node refused it, as it may. */
export type Delivery = 'taken' | 'lost' | 'dropped';

export class Group {
  readonly members = new Map<NodeId, Member>();
  queue: Message[] = [];
  /** Every message that was sent, in order. */
  sent: Message[] = [];
  /** What the network loses. */
  lose: (message: Message) => boolean = () => false;
  readonly #settings: Settings;

  constructor(ids: readonly NodeId[], settings: Settings = {}, logs: Readonly<Record<number, MemoryLog>> = {}) {
    this.#settings = settings;
    for (const id of ids) {
      this.add(id, logs[id] ?? new MemoryLog({ voters: [...ids] }));
    }
  }

  add(id: NodeId, storage: MemoryLog): void {
    this.members.set(id, { id, storage, node: this.#start(id, storage), applied: [], reads: [] });
  }

  #start(id: NodeId, storage: MemoryLog): RaftNode {
    const defaults = { preVote: false, checkQuorum: false };
    return new RaftNode({ id, random: { float: () => 0 }, ...defaults, ...this.#settings }, storage);
  }

  member(id: NodeId): Member {
    const member = this.members.get(id);
    if (member === undefined) throw new Error(`no node ${id}`);
    return member;
  }

  node(id: NodeId): RaftNode {
    return this.member(id).node;
  }

  /** What is not in storage is lost. */
  restart(id: NodeId): void {
    const member = this.member(id);
    member.node = this.#start(id, member.storage);
    member.applied = [];
    this.queue = this.queue.filter((message) => message.to !== id);
  }

  /** Handles one `Ready`, if there is one. */
  pump(id: NodeId): boolean {
    const member = this.member(id);
    if (!member.node.hasReady()) return false;
    this.handle(member, member.node.ready());
    return true;
  }

  /** Does what a `Ready` asks for, all at once. */
  protected handle(member: Member, ready: Ready): void {
    const { node, storage } = member;
    if (ready.hardState !== undefined) storage.hardState = ready.hardState;
    if (ready.snapshot !== undefined) storage.install(ready.snapshot);
    storage.append(ready.entries);
    for (const entry of ready.committedEntries) {
      member.applied.push(entry);
      if (entry.type === 'confChange') storage.confState = node.applyConfChange(decodeConfChange(entry.data));
    }
    member.reads.push(...ready.readStates);
    this.queue.push(...ready.messages);
    this.sent.push(...ready.messages);
    node.advance(ready);
  }

  deliver(message: Message): Delivery {
    const member = this.members.get(message.to);
    if (member === undefined || this.lose(message)) return 'lost';
    try {
      member.node.step(message);
      return 'taken';
    } catch (error) {
      if (codeOf(error) !== 'PROPOSAL_DROPPED' && codeOf(error) !== 'PEER_NOT_FOUND') throw error;
      return 'dropped';
    }
  }

  /** Until nobody has anything left to do. */
  settle(): void {
    for (let round = 0; round < 1000; round++) {
      let busy = false;
      for (const id of this.members.keys()) busy = this.pump(id) || busy;
      const batch = this.queue;
      this.queue = [];
      for (const message of batch) this.deliver(message);
      if (!busy && batch.length === 0) return;
    }
    throw new Error('the group does not come to rest');
  }

  elect(id: NodeId): void {
    this.node(id).campaign();
    this.settle();
    if (!this.node(id).isLeader) throw new Error(`node ${id} did not win`);
  }

  /** Ticks `id` so often, delivering everything in between. */
  tick(id: NodeId, times = 1): void {
    for (let i = 0; i < times; i++) {
      this.node(id).tick();
      this.settle();
    }
  }

  /** The messages of this kind that were sent since the last call of `forget`. */
  sentOf(type: MessageType, to?: NodeId): Message[] {
    return this.sent.filter((message) => message.type === type && (to === undefined || message.to === to));
  }

  forget(): void {
    this.sent = [];
  }
}

/** The payloads of the entries that a node applied, as text; empty ones left out. */
export function appliedText(member: Member): string[] {
  return member.applied.filter((e) => e.data.length > 0 && e.type === 'normal').map((e) => new TextDecoder().decode(e.data));
}
