/**
 * R2: what a Ready says to peers leaves in two parts: before its write what may precede it (a
 * leader's appends), after it the rest. No message speaks of a term that hard state does not hold
 * yet. One frame for each peer, unless the messages are too large for one.
 */

import { assert } from '../../base/assert.js';
import type { Network } from '../../base/env.js';
import type { NodeId, Term } from '../../base/ids.js';
import { mayPrecedeWrite, type Message } from '../../raft/types.js';
import { raftFrames } from '../wire/frame.js';
import type { RaftHooks } from './raft-hooks.js';

/**
 * Of payload, in one frame of several messages: far below the limit beyond which the network drops
 * frames.
 */
const MAX_FRAME_BYTES = 2 * 1024 * 1024;

export class Outbox {
  readonly #network: Network;
  readonly #hooks: Pick<RaftHooks, 'take'>;

  constructor(network: Network, hooks: Pick<RaftHooks, 'take'>) {
    this.#network = network;
    this.#hooks = hooks;
  }

  /**
   * `early`: what may precede the write; `late`: the rest. `durable`: the term that hard state
   * holds.
   */
  send(messages: readonly Message[], durable: Term, which: 'all' | 'early' | 'late'): void {
    if (messages.length === 0) return;
    const byPeer = new Map<NodeId, Message[]>();
    for (const message of messages) {
      if (which !== 'all' && mayPrecedeWrite(message) !== (which === 'early')) continue;
      const { to, term, snapshot } = message;
      assert(to !== 0, 'R2 a message is for somebody');
      assert(term <= durable || isPreVote(message), 'R2 a message speaks of a term that is durable');
      if (message.type === 'MsgSnap' && snapshot) this.#hooks.take({ kind: 'snapshot-sent', to, snapshot });
      const list = byPeer.get(to);
      if (list) list.push(message);
      else byPeer.set(to, [message]);
    }
    for (const [to, list] of byPeer) {
      for (const bytes of raftFrames(list, MAX_FRAME_BYTES)) this.#network.send(to, bytes);
    }
  }
}

/** It speaks of a term that nobody is in yet. */
function isPreVote({ type }: Message): boolean {
  return type === 'MsgPreVote' || type === 'MsgPreVoteResp';
}
