/**
 * R2: no message speaks of a term that hard state does not hold yet; it waits here until it does.
 * (What a message promises beyond its term is durable before it comes here, see WriteQueue.) One
 * frame for each peer, unless the messages are too large for one.
 */

import { assert } from '../../base/assert.js';
import type { Network } from '../../base/env.js';
import type { NodeId, Term } from '../../base/ids.js';
import type { Message } from '../../raft/types.js';
import { raftFrames } from '../wire/frame.js';
import type { RaftHooks } from './raft-hooks.js';

/** Of payload, in one frame of several messages: far below what the network takes. */
const MAX_FRAME_BYTES = 2 * 1024 * 1024;
/** What waits for a term beyond this is dropped, the oldest first: Raft says it again. */
const MAX_HELD = 1024;

export class Outbox {
  readonly #network: Network;
  readonly #hooks: Pick<RaftHooks, 'take'>;
  /** Of terms above the durable one. */
  #held: Message[] = [];

  constructor(network: Network, hooks: Pick<RaftHooks, 'take'>) {
    this.#network = network;
    this.#hooks = hooks;
  }

  /** `durable`: the term that hard state holds. */
  send(messages: readonly Message[], durable: Term): void {
    if (messages.length === 0) return;
    const byPeer = new Map<NodeId, Message[]>();
    for (const message of messages) {
      const { to, term, snapshot } = message;
      assert(to !== 0, 'R2 a message is for somebody');
      if (term > durable && !isPreVote(message)) {
        this.#hold(message);
        continue;
      }
      if (message.type === 'MsgSnap' && snapshot) this.#hooks.take({ kind: 'snapshot-sent', to, snapshot });
      const list = byPeer.get(to);
      if (list) list.push(message);
      else byPeer.set(to, [message]);
    }
    for (const [to, list] of byPeer) {
      for (const { bytes, lane } of raftFrames(list, MAX_FRAME_BYTES)) this.#network.send(to, bytes, lane);
    }
  }

  /** Hard state holds `durable`: what waited for it leaves. */
  release(durable: Term): void {
    if (this.#held.length === 0) return;
    const held = this.#held;
    this.#held = [];
    this.send(held, durable);
  }

  #hold(message: Message): void {
    // R1 A leader's term was durable before anybody could vote for it.
    assert(message.type !== 'MsgApp' && message.type !== 'MsgSnap', `R2 a leader has a durable term, not ${message.term}`);
    this.#held.push(message);
    if (this.#held.length > MAX_HELD) this.#held.shift();
  }
}

/** It speaks of a term that nobody is in yet. */
function isPreVote({ type }: Message): boolean {
  return type === 'MsgPreVote' || type === 'MsgPreVoteResp';
}
