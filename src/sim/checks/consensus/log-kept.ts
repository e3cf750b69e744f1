/**
 * D1: the log goes only below what the node itself and a majority hold in durable tables: whoever
 * needs an entry finds it in a log or in tables, whichever minority is lost. At no moment does a
 * log begin beyond the flushed index of the manifest beside it, or end before its materialized
 * index, unless the log was told to expect the snapshot that brought the manifest: a crash at that
 * moment would leave a member that cannot start.
 */

import type { LogIndex, NodeId } from '../../../base/ids.js';
import type { Configurations } from './configurations.js';
import type { DamageOracle } from '../../oracle/damage-oracle.js';
import type { Replica } from '../../../replica/replica.js';
import type { Reporter } from '../base/reporter.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

/** From the decision to the word of it: files go in between, on a disk that may stall. */
const DROPPED_US = 30_000_000;

export class LogKept {
  readonly #reporter: Reporter;
  readonly #oracle: DamageOracle;
  readonly #nodes: readonly WatchedNode[];
  readonly #configurations: Configurations;
  /**
   * The highest flushed index that each member ever had durable: nobody can know that it forgot it
   * since.
   */
  readonly #flushed = new Map<NodeId, LogIndex>();

  /** By member: through here the log was told to expect a snapshot, or opened without. */
  readonly #expected = new Map<NodeId, LogIndex>();

  constructor(reporter: Reporter, oracle: DamageOracle, nodes: readonly WatchedNode[], configurations: Configurations) {
    this.#reporter = reporter;
    this.#configurations = configurations;
    this.#oracle = oracle;
    this.#nodes = nodes;
  }

  /**
   * Listens to what the log of this replica is told of snapshots, from now on. What it holds now
   * was good enough to start with.
   */
  watch({ member }: WatchedNode, { log, tree }: Replica): void {
    this.#expects(member, tree.durable.last.index);
    const [expect, reset] = [log.expectSnapshot.bind(log), log.resetTo.bind(log)];
    log.expectSnapshot = (through) => this.#when(expect(through), member, through);
    log.resetTo = (index, term, through) => this.#when(reset(index, term, through), member, through ?? index);
  }

  /**
   * Gives back the same promise, so that whoever waits for it goes on at the same moment as without
   * this check.
   */
  #when(done: Promise<void>, member: NodeId, through: LogIndex): Promise<void> {
    done.then(() => this.#expects(member, through), () => undefined);
    return done;
  }

  #expects(member: NodeId, through: LogIndex): void {
    this.#expected.set(member, Math.max(through, this.#expected.get(member) ?? 0));
  }

  /** To be called often, and before a node forgets. */
  remember(): void {
    for (const { id, member } of this.#nodes) {
      const flushed = this.#oracle.census.durableOf(id)?.flushed.index ?? 0;
      if (flushed > (this.#flushed.get(member) ?? 0)) this.#flushed.set(member, flushed);
    }
  }

  /** The log of the node now begins at `first`. */
  dropped(node: WatchedNode, first: LogIndex): void {
    this.remember();
    const holds = (id: NodeId): boolean => (this.#flushed.get(id) ?? 0) >= first - 1;
    if (this.#configurations.isQuorum(node, holds, DROPPED_US)) return;
    this.#reporter.broken('log goes when a majority has the tables', node.id,
      `D1 node ${node.id} dropped its log below ${first}; ${this.#configurations.count(node, holds)} needed nodes have durable tables up to there`);
  }

  /** As it is now: cheap enough to be called for every message. */
  look(node: WatchedNode): void {
    const replica = node.running?.replica;
    if (replica === undefined) return;
    const { log, tree } = replica;
    const { flushed, last } = tree.durable;
    const early = log.firstIndex() - 1 <= flushed.index;
    const late = log.lastIndex() >= last.index || (this.#expected.get(node.member) ?? last.index) >= last.index;
    if (early && late) return;
    const { ledger } = this.#oracle;
    if (this.#oracle.verdict.damagedLog(node.id)) return;
    if (ledger.forgets(node.id)) return;
    if (!late) {
      this.#reporter.broken('log ends where the version ends', node.id,
        `D1 the log of node ${node.id} ends at ${log.lastIndex()} and expects no snapshot; its manifest is of ${last.index}`);
      return;
    }
    this.#reporter.broken('log begins where the tables end', node.id,
      `D1 the log of node ${node.id} begins at ${replica.log.firstIndex()}; its durable tables reach to ${replica.tree.durable.flushed.index}`);
  }
}
