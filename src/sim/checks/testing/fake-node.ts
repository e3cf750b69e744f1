/** A node that says what a test wants: for telling checks lies. */

import type { LogIndex, NodeId, TableId, Term } from '../../../base/ids.js';
import type { HintStatus } from '../../../healing/status/hint-status.js';
import type { TreeSettings } from '../../../storage/base/settings.js';
import { PromisesHeard } from '../../../replica/start/promises-heard.js';
import { Membership } from '../../../replica/state/membership.js';
import { Version } from '../../../storage/version/version.js';
import { noFaults, type BlockFaults } from '../../../storage/table/block-faults.js';
import type { TableMeta } from '../../../storage/table/table-meta.js';
import type { NodeState } from '../../cluster/sim-node.js';
import type { Violation } from '../../model/result.js';
import { DamageOracle } from '../../oracle/damage-oracle.js';
import { Reporter } from '../base/reporter.js';
import { Configurations } from '../consensus/configurations.js';
import type { WatchedNode } from '../../cluster/watched-node.js';

export class FakeNode {
  readonly id: NodeId;
  member: NodeId;
  state: NodeState = 'up';
  lives = 1;
  readonly files = new Map<string, Uint8Array>();
  readonly dirty = new Set<string>();
  /** Files whose names a power loss would take. */
  readonly unnamed = new Set<string>();
  /** Of the log: the term of each entry from index 1 on. */
  terms: Term[] = [];
  /** Of the segments that hold the entries; 1 where it does not say. */
  generations: number[] = [];
  firstIndex: LogIndex = 1;
  applied: LogIndex = 0;
  commit: LogIndex = 0;
  leads = false;
  /** The newest start of others that is in its state. */
  readonly met = new Map<NodeId, number>();
  /** What others have promised to it. */
  readonly heard = new PromisesHeard();
  /** How far it counts others as having its log. */
  readonly matches = new Map<NodeId, LogIndex>();
  serves = true;
  settings: TreeSettings | undefined;
  /** Whom it follows. */
  leader: NodeId = 0;
  /** Of its hard state. */
  term: Term = 0;
  vote: NodeId = 0;
  durable: Version = Version.empty();
  hints: HintStatus[] = [];
  hintsSaved = true;
  /** What its reads call. */
  readonly faults: BlockFaults = { ...noFaults };
  /** Tables that nothing names any more. */
  deletable: TableId[] = [];
  /** Sizes for the bounds. */
  sealed = 0;
  down = false;
  readonly #replica: unknown;

  constructor(id: NodeId) {
    this.id = id;
    this.member = id;
    const log = {
      firstIndex: () => this.firstIndex,
      lastIndex: () => this.terms.length,
      generationOf: (index: LogIndex) => this.generations[index - 1] ?? 1,
      term: (index: LogIndex) => (index === 0 ? 0 : this.terms[index - 1]),
      append: () => Promise.resolve(),
      expectSnapshot: () => Promise.resolve(),
      resetTo: () => Promise.resolve(),
    };
    const meta = (table: TableId): TableMeta | undefined => this.durable.table(table);
    const view = (): { release: () => void } => ({ release: () => undefined });
    const pin = (): (() => void) => () => undefined;
    const collect = (): Promise<readonly TableId[]> => Promise.resolve(this.deletable);
    const tree = { meta, owed: () => [], view, pin, deletable: () => this.deletable, collect };
    Object.defineProperty(tree, 'durable', { get: () => this.durable });
    Object.defineProperty(tree, 'latest', { get: () => this.durable });
    Object.defineProperty(tree, 'materialized', { get: () => this.durable });
    Object.defineProperty(tree, 'sealedMemtables', { get: () => this.sealed });
    const applier = { backlog: 0 };
    Object.defineProperty(applier, 'index', { get: () => this.applied });
    const driver = { node: { matchOf: (id: NodeId) => this.matches.get(id) ?? 0 } };
    Object.defineProperty(driver.node, 'commit', { get: () => this.commit });
    Object.defineProperty(driver.node, 'isLeader', { get: () => this.leads });
    Object.defineProperty(driver.node, 'term', { get: () => this.term });
    Object.defineProperty(driver.node, 'lastIndex', { get: () => this.terms.length });
    Object.defineProperty(driver.node, 'vote', { get: () => this.vote });
    const readIndex = { wait: () => Promise.resolve() };
    const leadership = {};
    Object.defineProperty(leadership, 'mayShapeTree', { get: () => this.leads });
    Object.defineProperty(leadership, 'leader', { get: () => this.leader });
    Object.defineProperty(leadership, 'term', { get: () => this.term });
    const reads = {};
    Object.defineProperty(reads, 'open', { get: () => this.serves });
    const kv = { incarnationOf: (id: NodeId) => this.met.get(id) ?? 0 };
    const proposer = { propose: () => false };
    const membership = new Membership(id, [{ id, name: `n${id}`, peerUrls: [] }]);
    const [promises, proposals] = [{ heard: this.heard }, { size: 0 }];
    this.#replica = { membership, kv, log, tree, applier, driver, readIndex, proposals, proposer, leadership, reads, promises };
    Object.defineProperty(this.#replica, 'settings', { get: () => this.settings });
  }

  get disk(): WatchedNode['disk'] {
    return {
      list: () => [...this.files].map(([path, { length }]) => ({ path, bytes: length })).sort((a, b) => (a.path < b.path ? -1 : 1)),
      medium: (path) => this.files.get(path),
      isDirty: (path) => this.dirty.has(path),
      isNamed: (path) => this.files.has(path) && !this.unnamed.has(path),
    };
  }

  get running(): WatchedNode['running'] {
    if (this.down) return undefined;
    return { replica: this.#replica, healing: { hints: () => this.hints, hintsSaved: this.hintsSaved, faults: this.faults } } as unknown as WatchedNode['running'];
  }

  /** Level 0 holds these tables. */
  holds(tables: readonly TableMeta[], index: LogIndex): void {
    const nextTableId = Math.max(this.durable.nextTableId, ...tables.map((table) => table.id + 1));
    const levels = this.durable.levels.map((level, number) => (number === 0 ? tables : level));
    this.durable = this.durable.with({ levels, nextTableId, last: { index, term: 1 } });
  }
}

export interface Watch {
  readonly world: { nowUs: number };
  readonly nodes: readonly FakeNode[];
  readonly oracle: DamageOracle;
  readonly reporter: Reporter;
  /** All nodes vote. */
  readonly configurations: Configurations;
  readonly violations: Violation[];
  /** Names of the checks that have reported. */
  reported(): string[];
}

export function watch(count = 3): Watch {
  const world = { nowUs: 100_000_000 };
  const nodes = Array.from({ length: count }, (_, i) => new FakeNode(i + 1));
  const violations: Violation[] = [];
  const reporter = new Reporter(world, (violation) => void violations.push(violation));
  const oracle = new DamageOracle({ world, nodes });
  const configurations = new Configurations(() => world.nowUs, nodes.map(({ id }) => id));
  return { world, nodes, oracle, reporter, configurations, violations, reported: () => violations.map((violation) => violation.check) };
}
