/**
 * Watches a cluster from outside, all through a run: what each check may see is what a node sends,
 * says or has on its medium, and never what the product believes of itself alone. Cheap at each
 * event; the media are compared only when tables or manifests move.
 */

import type { KintsugiEvent } from '../../base/events.js';
import type { NodeId, Term } from '../../base/ids.js';
import type { Entry } from '../../raft/types.js';
import { isCopySound } from '../../replica/entry/entry.js';
import type { Replica } from '../../replica/replica.js';
import type { Coverage } from '../model/coverage.js';
import type { Violation } from '../model/result.js';
import type { RunSettings } from '../model/settings.js';
import type { World } from '../world/world.js';
import { Acknowledged } from './consensus/acknowledged.js';
import { reasonsNotAtRest } from './at-rest.js';
import { checkBounds, checkFiles } from './bounds.js';
import { ClusterSettings } from './tree/cluster-settings.js';
import { ClusterVersions } from './consensus/cluster-versions.js';
import { Committed } from './consensus/committed.js';
import { CommitRecorded } from './consensus/commit-recorded.js';
import { Configurations } from './consensus/configurations.js';
import { CurrentReads } from './consensus/current-reads.js';
import type { DamageOracle } from '../oracle/damage-oracle.js';
import { FaultsNoted } from './healing/faults-noted.js';
import { HardStateCopies } from './consensus/hard-state-copies.js';
import { HealsChecked } from './healing/heals-checked.js';
import { Elections } from './consensus/elections.js';
import { HeartbeatRounds } from './consensus/heartbeat-rounds.js';
import { HintsKept } from './healing/hints-kept.js';
import { HintsReach } from './healing/hints-reach.js';
import { HintsTrue } from './healing/hints-true.js';
import { LeaderPerTerm } from './consensus/leader-per-term.js';
import { LogKept } from './consensus/log-kept.js';
import { LogMatching } from './consensus/log-matching.js';
import { checkLogOnMedium } from './consensus/log-on-medium.js';
import { ManifestMatching } from './tree/manifest-matching.js';
import { MembersMatching } from './consensus/members-matching.js';
import { ParityUsed } from './healing/parity-used.js';
import { OlderCopies } from './consensus/older-copies.js';
import { PathsSeen } from './consensus/paths-seen.js';
import { MSG_PROP, RaftFrameReader } from './consensus/raft-frames.js';
import { ReadersKept } from './tree/readers-kept.js';
import { RepairsKept } from './healing/repairs-kept.js';
import { Reporter } from './base/reporter.js';
import { ServedState } from './consensus/served-state.js';
import { TableBytes } from './tree/table-bytes.js';
import { TreeOps } from './tree/tree-ops.js';
import { VersionsKept } from './tree/versions-kept.js';
import { Votes } from './consensus/votes.js';
import type { WatchedNode } from '../cluster/watched-node.js';

export interface ChecksOptions {
  readonly world: Pick<World, 'nowUs'>;
  /** All machines: more may come. Those of the beginning are the first members. */
  readonly nodes: readonly WatchedNode[];
  readonly settings: Pick<RunSettings, 'logSegmentBytes'>;
  readonly coverage: Coverage;
  readonly oracle: DamageOracle;
  readonly report: (violation: Violation) => void;
  /** Hears of each entry that a node applied, once it is watched. */
  readonly applied?: (node: NodeId, replica: Replica, entry: Entry) => void;
}

/** Seconds. */
const FILES_EVERY = 20;

export class Checks {
  readonly #options: ChecksOptions;
  readonly #reporter: Reporter;
  readonly #configurations: Configurations;
  readonly #members: MembersMatching;
  readonly #frames = new RaftFrameReader();
  readonly #leaders: LeaderPerTerm;
  readonly #votes: Votes;
  readonly #older: OlderCopies;
  readonly #hardState: HardStateCopies;
  readonly #elections: Elections;
  readonly #acknowledged: Acknowledged;
  readonly #log: LogMatching;
  readonly #manifests: ManifestMatching;
  readonly #tables: TableBytes;
  readonly #hints: HintsKept;
  readonly #reach: HintsReach;
  readonly #committed: Committed;
  readonly #recorded: CommitRecorded;
  readonly #rounds: HeartbeatRounds;
  readonly #reads: CurrentReads;
  readonly #ops: TreeOps;
  readonly #kept: LogKept;
  readonly #parity: ParityUsed;
  readonly #truth: HintsTrue;
  readonly #noted: FaultsNoted;
  readonly #repairs: RepairsKept;
  readonly #heals: HealsChecked;
  readonly #readers: ReadersKept;
  readonly #versions: VersionsKept;
  readonly #settings: ClusterSettings;
  readonly #programs: ClusterVersions;
  readonly #served: ServedState;
  readonly #paths: PathsSeen;
  /** Whose entries are watched. */
  readonly #watched = new Map<NodeId, Replica>();
  #looks = 0;

  constructor(options: ChecksOptions) {
    const { world, nodes, settings, coverage, oracle, report } = options;
    const reporter = new Reporter(world, report);
    this.#options = options;
    this.#reporter = reporter;
    const configurations = new Configurations(() => world.nowUs, nodes.map(({ member }) => member));
    this.#configurations = configurations;
    this.#members = new MembersMatching(reporter);
    this.#leaders = new LeaderPerTerm(reporter);
    this.#votes = new Votes(reporter, oracle);
    this.#older = new OlderCopies(reporter, nodes);
    this.#hardState = new HardStateCopies(reporter, oracle);
    this.#committed = new Committed(reporter);
    this.#recorded = new CommitRecorded(reporter);
    this.#elections = new Elections(reporter, this.#committed, (term) => this.#leaders.of(term), configurations);
    const leader = (term: Term): WatchedNode | undefined => nodes.find(({ member }) => member === this.#leaders.of(term));
    this.#acknowledged = new Acknowledged(reporter, oracle, this.#committed, configurations, leader);
    this.#log = new LogMatching(reporter, this.#committed);
    this.#manifests = new ManifestMatching(reporter);
    this.#tables = new TableBytes(reporter, oracle);
    this.#hints = new HintsKept(reporter, oracle);
    this.#reach = new HintsReach(reporter, nodes);
    this.#rounds = new HeartbeatRounds(() => world.nowUs, configurations);
    this.#reads = new CurrentReads(reporter, this.#committed, this.#rounds, nodes);
    this.#ops = new TreeOps(reporter, oracle, (term) => this.#leaders.of(term));
    this.#kept = new LogKept(reporter, oracle, nodes, configurations);
    this.#parity = new ParityUsed(reporter, oracle);
    this.#truth = new HintsTrue(reporter, oracle);
    this.#noted = new FaultsNoted(reporter, oracle);
    this.#repairs = new RepairsKept(reporter, oracle);
    this.#heals = new HealsChecked(reporter, oracle, nodes);
    this.#readers = new ReadersKept(reporter);
    this.#versions = new VersionsKept(reporter, oracle);
    this.#settings = new ClusterSettings(reporter);
    this.#programs = new ClusterVersions(reporter);
    this.#served = new ServedState(reporter);
    this.#paths = new PathsSeen(coverage, settings.logSegmentBytes);
  }

  /**
   * The replica of a new life exists, and has applied nothing yet. Best called; otherwise its first
   * event does.
   */
  onOpen(node: WatchedNode): void {
    const replica = node.running?.replica;
    if (replica === undefined || this.#watched.get(node.id) === replica) return;
    this.#watched.set(node.id, replica);
    this.#configurations.watch(node, replica);
    this.#members.watch(node, replica);
    this.#log.begins(node, replica.applier.index);
    this.#votes.onOpen(node);
    this.#older.onOpen(node);
    this.#committed.saw(node, replica.driver.node.commit);
    this.#reads.watch(node, replica);
    this.#noted.watch(node, replica);
    this.#readers.watch(node, replica);
    this.#ops.watch(node, replica);
    this.#kept.watch(node, replica);
    this.#recorded.watch(node, replica);
    this.#programs.watch(node, replica);
    checkLogOnMedium(node, 'has opened its log', this.#options.oracle.ledger, this.#reporter);
    replica.applier.onApplied = (entry) => this.#onApplied(node, replica, entry);
  }

  /** Called synchronously when it is emitted. */
  onEvent(node: WatchedNode, event: KintsugiEvent): void {
    const { oracle } = this.#options;
    this.onOpen(node);
    oracle.onEvent(node, event);
    this.#hints.saved(node);
    this.#kept.look(node);
    this.#heals.heard(node);
    this.#served.look(node);
    this.#paths.onEvent(event);
    switch (event.type) {
      case 'role-changed':
        if (event.role === 'leader') {
          this.#leaders.leads(node.member, event.term, 'says so', node.id);
          this.#elections.leads(node, event.term);
        }
        this.#log.commit(node);
        return;
      case 'log-sync':
        this.#votes.onLogSync(node);
        checkLogOnMedium(node, 'has written entries', oracle.ledger, this.#reporter);
        this.#log.commit(node);
        return;
      case 'applied':
        this.#log.commit(node);
        return;
      case 'digest-disagreed':
        this.#ops.disagreed(node.id, event.plan, event.nodes);
        return;
      case 'log-truncated':
        this.#kept.dropped(node, event.below);
        return;
      case 'edit':
      case 'heal-applied':
      case 'materialized':
        this.#tables.onEvent(node, event);
        return;
      case 'hint':
        this.#hints.onEvent(node, event);
        this.#truth.onEvent(node, event);
        return;
      case 'block-unreadable':
        this.#parity.onEvent(node, event);
        return;
      case 'block-repaired':
        this.#repairs.repaired(node, event);
        return;
      case 'heal-proposed':
        this.#heals.proposed(node, event);
        return;
      case 'warning':
        this.#versions.onEvent(node, event);
        return;
      case 'snapshot-received':
        this.#acknowledged.replaced(node);
        return;
      default:
    }
  }

  /** Some node has applied the removal of this member. */
  isRemoved(member: NodeId): boolean {
    return this.#members.isRemoved(member);
  }

  /** See {@link OlderCopies}. */
  aged(node: WatchedNode, last: number): void {
    this.#older.aged(node, last);
  }

  /**
   * The network's tap: when a frame is sent, before it may be lost. From machine to machine.
   */
  onFrame(from: NodeId, _to: NodeId, frame: Uint8Array): void {
    const node = this.#options.nodes.find(({ id }) => id === from);
    for (const each of this.#options.nodes) {
      this.#kept.look(each);
      this.#served.look(each);
    }
    const frames = this.#frames;
    if (node === undefined || !frames.open(frame)) return;
    while (frames.next()) {
      const { head } = frames;
      if (head.type === MSG_PROP && head.treeOps) this.#ops.forwarded(from);
      // Forwarded proposals and reads are their first sender's, and promise nothing.
      if (head.from !== node.member) continue;
      this.#leaders.onMessage(head, from);
      this.#votes.onMessage(node, head);
      this.#older.onMessage(node, head);
      this.#elections.onMessage(node, head);
      this.#acknowledged.onMessage(node, head);
      this.#paths.onMessage(node, head);
      this.#rounds.onMessage(node, head);
    }
  }

  /** The replica is open and serves from now on. */
  onStart(node: WatchedNode): void {
    this.onOpen(node);
    this.#options.oracle.onStart(node);
    this.#acknowledged.onStart(node);
    this.#tables.onStart(node);
    this.#hints.step(node);
  }

  /** A life is over; what it ran can still be seen. */
  onDeath(node: WatchedNode): void {
    this.#acknowledged.onDeath(node);
    this.#hints.saved(node);
    this.#kept.remember();
    this.#options.oracle.onDeath(node);
    this.#watched.delete(node.id);
  }

  /** Each simulated second. */
  step(): void {
    this.#look(false);
  }

  #look(again: boolean): void {
    this.#looks++;
    this.#reach.step();
    this.#heals.step();
    this.#kept.remember();
    for (const node of this.#options.nodes) {
      const tree = node.running?.replica.tree;
      if (tree === undefined) continue;
      this.#hardState.look(node);
      this.#log.commit(node);
      this.#manifests.durable(node.id, tree.durable);
      this.#tables.files(node, again);
      this.#hints.step(node);
      this.#noted.step(node);
      this.#repairs.step(node);
      this.#settings.look(node);
      checkBounds(node, this.#reporter);
      if (this.#looks % FILES_EVERY !== 0) continue;
      checkFiles(node, this.#reporter);
      this.#paths.look(node);
    }
  }

  /**
   * Why the healed cluster is not at rest; empty: it is. Nodes that stopped for good have no part
   * in it.
   */
  atRest(): string[] {
    return reasonsNotAtRest(this.#options.nodes, this.#options.oracle);
  }

  /** Once, at the end, when the cluster is at rest or should have been. */
  finalCheck(): void {
    this.#look(true);
  }

  #onApplied(node: WatchedNode, replica: Replica, handed: Entry): void {
    if (node.running?.replica !== replica) return;
    // Of a copy that went bad in memory what the log had was carried out, and is in memory now.
    const entry = isCopySound(handed) ? handed : (replica.log.entries(handed.index, handed.index + 1)[0] as Entry);
    this.#log.onApplied(node, entry);
    this.#recorded.onApplied(node, entry);
    this.#programs.applied(node, replica, entry.index);
    this.#options.applied?.(node.id, replica, entry);
    const { latest } = replica.tree;
    if (latest.last.index !== entry.index) return;
    this.#manifests.check(node.id, latest);
    this.#ops.onApplied(node.id, entry, latest);
  }
}
