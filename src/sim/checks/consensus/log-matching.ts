/**
 * R3: the entry at an index is the same wherever and whenever it is applied, in all lives of all
 * nodes; a node applies entries in order, and within a life begins again only at the flushed index
 * of another version that took the place of what it had. What is committed never becomes less
 * within a life.
 */

import type { LogIndex, NodeId } from '../../../base/ids.js';
import { crc32c } from '../../../base/crc32c.js';
import type { Entry } from '../../../raft/types.js';
import type { RaftNode } from '../../../raft/node.js';
import type { Committed } from './committed.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

interface Progress {
  life: number;
  applied: LogIndex;
  core: RaftNode | undefined;
  commit: LogIndex;
}

export class LogMatching {
  readonly #reporter: Reporter;
  readonly #committed: Committed;
  /** By index: term, and checksum and length of the payload. */
  readonly #terms: number[] = [];
  readonly #contents: number[] = [];
  readonly #who: NodeId[] = [];
  readonly #progress = new Map<NodeId, Progress>();

  constructor(reporter: Reporter, committed: Committed) {
    this.#reporter = reporter;
    this.#committed = committed;
  }

  /** Watched from here on; `applied` already is. */
  begins(node: WatchedNode, applied: LogIndex): void {
    this.#of(node).applied = applied;
  }

  onApplied(node: WatchedNode, entry: Entry): void {
    this.#inOrder(node, entry.index);
    this.#committed.applied(entry.index, entry.term);
    this.#same(node.id, entry);
  }

  /** To be called so often that a step back shows. */
  commit(node: WatchedNode): void {
    const core = node.running?.replica.driver.node;
    if (core === undefined) return;
    const progress = this.#of(node);
    const { commit } = core;
    if (progress.core === core && commit < progress.commit) {
      this.#reporter.broken('commit never regresses', node.id, `R3 node ${node.id} had committed ${progress.commit}, now ${commit}`);
    }
    this.#committed.saw(node, commit);
    progress.core = core;
    progress.commit = commit;
  }

  #of(node: WatchedNode): Progress {
    let progress = this.#progress.get(node.id);
    if (progress === undefined) this.#progress.set(node.id, (progress = { life: 0, applied: 0, core: undefined, commit: 0 }));
    if (progress.life !== node.lives) {
      progress.life = node.lives;
      progress.applied = 0;
      progress.core = undefined;
    }
    return progress;
  }

  #inOrder(node: WatchedNode, index: LogIndex): void {
    const progress = this.#of(node);
    const follows = progress.applied !== 0 && index === progress.applied + 1;
    const flushed = node.running?.replica.tree.durable.flushed.index ?? 0;
    const before = progress.applied;
    progress.applied = index;
    // A life, and whatever came instead of the log's end, begins at a flushed index that is
    // durable.
    if (follows || index <= flushed + 1) return;
    this.#reporter.broken('entries are applied in order', node.id, `R3 node ${node.id} applies ${index} after ${before}; its durable tables reach to ${flushed}`);
  }

  #same(node: NodeId, { index, term, data }: Entry): void {
    const content = crc32c(data) * 0x10_0000 + (data.length & 0xf_ffff);
    const known = this.#terms[index];
    if (known === undefined) {
      this.#terms[index] = term;
      this.#contents[index] = content;
      this.#who[index] = node;
      return;
    }
    if (known === term && this.#contents[index] === content) return;
    this.#reporter.broken('log matching', node,
      `R3 node ${node} applies another entry at ${index} (term ${term}, ${data.length} bytes) than node ${this.#who[index]} did (term ${known})`);
  }
}
