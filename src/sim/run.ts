/**
 * One run: a cluster of the shipping replica, clients, faults, checks, and a verdict. A seed
 * decides all of it. While the faults last only safety is asked for; when they are over, everything
 * that is not proven to be lost must be whole again in time.
 */

import { messageOf } from '../base/errors.js';
import { Backups, readyForBackups } from './backups/backups.js';
import { Checks } from './checks/checks.js';
import { DamageOracle } from './oracle/damage-oracle.js';
import { isPowerOff } from './cluster/power-off.js';
import { SimCluster } from './cluster/sim-cluster.js';
import type { SimNode } from './cluster/sim-node.js';
import { Coverage } from './model/coverage.js';
import { mayDoom, openDiskContext, type DiskContext } from './faults/context.js';
import { DISK_FAULTS, type FaultAction, type FaultProfile } from './model/fault.js';
import { wholePlan } from './faults/plan.js';
import { flipInMemory } from './faults/strike-memory.js';
import { cutOffLoneCopy } from './faults/strike-lone-copy.js';
import { strikeDisk } from './faults/strike-disk.js';
import { clockJumps, strikeOps } from './faults/strike-ops.js';
import { strikeProcess, type ProcessContext } from './faults/strike-process.js';
import { SimNetwork } from './network/sim-network.js';
import { Operator } from './operator/operator.js';
import { Upgrades } from './operator/upgrades.js';
import { calm, strikeNetwork } from './network/strike.js';
import { PATHS } from './model/paths.js';
import type { SimOptions, SimResult, Violation, ViolationKind } from './model/result.js';
import { faultsOf, hasOps, hasStreams } from './model/profile.js';
import { programsOf, runSettings, type RunSettings } from './model/settings.js';
import { streamSettings } from './model/stream-settings.js';
import { Streams } from './streams/streams.js';
import type { OpRecord } from './workload/history/history.js';
import { LogWitness } from './workload/log-witness.js';
import { Workload } from './workload/workload.js';
import { Trace, type TapeRow } from './world/trace.js';
import { WallClocks } from './world/wall-clocks.js';
import { World, type Pump } from './world/world.js';

/** What the host lends to a run. */
export interface SimShell {
  readonly pump: Pump;
  /** Rows of the tape, as they happen. */
  readonly onRow?: (row: TapeRow) => void;
  /**
   * Tells the run of promises that reject and that nobody waits for; returns how to end that.
   * Missing: nobody is told.
   */
  readonly onUnhandled?: (listener: (reason: unknown) => void) => () => void;
}

const SECOND_US = 1_000_000;
const CLIENTS_FROM_US = 1_500_000;
/** Within this a cluster has its first leader, if nothing is in its way. */
const BEGINNING_US = 5_000_000;
/** The liveness check: a healed cluster is at rest within this. */
const REST_US = 60 * SECOND_US;
const REST_POLL_US = 500_000;
/** Of simulated time, for reading everything back through every node. */
const READ_BACK_US = 60 * SECOND_US;
const MAX_VIOLATIONS = 16;

class Run {
  readonly options: SimOptions;
  readonly violations: Violation[] = [];
  readonly coverage = new Coverage();
  readonly world: World;
  readonly settings: RunSettings;
  readonly network: SimNetwork;
  readonly cluster: SimCluster;
  readonly oracle: DamageOracle;
  readonly checks: Checks;
  readonly workload: Workload;
  readonly streams: Streams | undefined;
  readonly operator: Operator;
  readonly upgrades: Upgrades;
  readonly backups: Backups;
  readonly witness = new LogWitness();
  readonly plan: readonly FaultAction[];
  readonly #faults: FaultProfile;
  readonly #wall = new WallClocks();
  readonly #pump: Pump;
  readonly #struck = { network: 0, process: 0, members: 0 };

  constructor(options: SimOptions, shell: SimShell) {
    this.options = options;
    this.#pump = shell.pump;
    const world = new World({
      seed: options.seed, trace: new Trace(shell.onRow), onThrow: (process, error) => this.cluster.threw(process, error),
    });
    this.world = world;
    const drawn = runSettings(world);
    const faults = (this.#faults = faultsOf(options.profile));
    const newest = { ...drawn, ...programsOf(world, faults, drawn.newestVersion) };
    const settings: RunSettings = hasStreams(options.profile) ? { ...newest, streams: streamSettings(world) } : newest;
    this.settings = settings;
    const { coverage } = this;
    this.network = new SimNetwork(world, Array.from({ length: settings.nodes }, (_, i) => i + 1), coverage);
    this.cluster = new SimCluster(world, settings, this.network, coverage, this.#wall);
    const { nodes } = this.cluster;
    const report = (violation: Violation): void => this.#report(violation);
    this.oracle = new DamageOracle({ world, nodes });
    this.checks = new Checks({
      world, nodes, settings, coverage, oracle: this.oracle, report,
      applied: (node, replica, entry) => {
        this.witness.applied(node, replica, entry);
        this.streams?.applied(node, replica, entry);
      },
    });
    const { clients: links } = this.network;
    const dataLoss = (record: OpRecord, error: unknown): void => this.#dataLoss(record, error);
    this.workload = new Workload({ world, settings, nodes, links, coverage, report, dataLoss });
    this.streams = this.#streamsOf(settings);
    this.plan = wholePlan(world, options.profile, settings);
    const untilUs = Math.min(settings.faultsUntilUs, options.faultsUntilUs ?? Infinity);
    this.operator = new Operator({ world, cluster: this.cluster, network: this.network, oracle: this.oracle, coverage, settings, untilUs });
    this.upgrades = new Upgrades({ world, cluster: this.cluster, coverage, settings, untilUs });
    this.backups = new Backups({
      world, coverage, history: this.workload.history, logSegmentBytes: settings.logSegmentBytes,
      report: (kind, check, message, node) => this.report(kind, check, message, node),
      dataLoss: (node, error) => this.#dataLoss({ node }, error),
      threw: (process, error) => this.cluster.threw(process, error),
    });
    this.network.onFrame = (from, to, frame) => this.checks.onFrame(from, to, frame);
    this.cluster.watch({
      onEvent: (node, event) => this.checks.onEvent(node, event),
      onOpen: (node) => this.checks.onOpen(node),
      onStart: (node) => this.checks.onStart(node),
      onReborn: (node) => this.oracle.noteReborn(node.id, false),
      onDeath: (node) => this.checks.onDeath(node),
      excuse: (node, error) => this.oracle.verdict.excuse(node.id, error),
      isRemoved: (node) => this.checks.isRemoved(node.member),
      report: (kind, check, message, node) => this.report(kind, check, message, node),
    });
  }

  #streamsOf({ streams, clients }: RunSettings): Streams | undefined {
    if (streams === undefined) return undefined;
    const { world, coverage, network, cluster, workload } = this;
    const { history, access, keys, values } = workload;
    return new Streams({
      world, settings: streams, machines: clients, nodes: cluster.nodes, links: network.clients, coverage, history, access, keys, values,
      report: (kind, check, message, node) => this.report(kind, check, message, node),
      dataLoss: (node, message) => this.#dataLoss({ node }, message),
    });
  }

  get failed(): boolean {
    return this.violations.length > 0;
  }

  report(kind: ViolationKind, check: string, message: string, node = 0): void {
    this.#report({ kind, check, message, atUs: this.world.nowUs, node });
  }

  unhandled(reason: unknown): void {
    if (isPowerOff(reason)) return;
    this.report('crash', 'no promise rejects unheard', reason instanceof Error ? (reason.stack ?? reason.message) : messageOf(reason));
  }

  async all(): Promise<void> {
    const { world, settings, options, workload } = this;
    if (hasOps(options.profile)) await readyForBackups();
    this.#schedulePlan();
    this.#everySecond();
    this.cluster.startAll();
    this.upgrades.begin();
    world.schedule(CLIENTS_FROM_US, () => workload.start());
    world.schedule(CLIENTS_FROM_US, () => this.streams?.start());
    await this.#until(Math.min(settings.faultsUntilUs, options.faultsUntilUs ?? Infinity));
    if (!this.failed) await this.#comeToRest();
    if (!this.failed && hasOps(options.profile)) await this.#lastBackup();
    if (!this.failed) await this.#readBack();
    if (!this.failed) await this.#until(settings.endUs);
    if (!this.failed) this.#enoughAreLeft();
    if (!this.failed) this.checks.finalCheck();
    if (!this.failed) this.#verdict();
  }

  #verdict(): void {
    const { model } = this.workload.verdict(this.witness, this.streams?.seen());
    if (model !== undefined) this.streams?.verdict(model);
  }

  result(): SimResult {
    const { options, violations, settings, world, coverage, workload, plan, cluster } = this;
    const counts = Object.entries(coverage.toJSON());
    for (const { check, node } of violations) world.trace.foldText(`${check} ${node}`);
    for (const [name, count] of counts) world.trace.foldText(`${name} ${count}`);
    const disk = counts.reduce((sum, [name, n]) => sum + (DISK_FAULTS.some((kind) => name.startsWith(`fault ${kind} `)) ? n : 0), 0);
    return {
      seed: options.seed, profile: options.profile, passed: violations.length === 0, violations, nodes: settings.nodes,
      simSeconds: Math.floor(world.nowUs / SECOND_US), operations: workload.counts, faults: { disk, ...this.#struck }, plan,
      events: world.events, digest: world.trace.digest(), coverage: coverage.toJSON(), fenced: cluster.fenced,
    };
  }

  #schedulePlan(): void {
    const { world, options, plan, cluster, network, coverage, settings, oracle } = this;
    const only = options.only === undefined ? undefined : new Set(options.only);
    const untilUs = Math.min(settings.faultsUntilUs, options.faultsUntilUs ?? Infinity);
    const [{ nodes }, profile] = [cluster, this.#faults];
    const disks = openDiskContext({ world, nodes, profile, settings, untilUs, oracle, coverage });
    const process = this.#processContext(disks, untilUs);
    const strikes = plan.filter(({ id, atUs }) => atUs < untilUs && only?.has(id) !== false);
    for (let jumps = clockJumps(world, this.#wall, settings.nodes, strikes); jumps > 0; jumps--) coverage.fault('clock-jump');
    for (const action of strikes) {
      if (action.kind === 'clock-jump') continue;
      world.schedule(action.atUs, () => {
        if (world.trace.taping) world.trace.row(world.nowUs, 0, `#${action.id} ${action.kind}`);
        world.trace.fold(0xfa17, action.id);
        const began = nodes.some(({ running }) => running?.replica.settings !== undefined);
        if (world.nowUs < BEGINNING_US && !began) coverage.branch(PATHS.struckBeforeLeader);
        switch (action.class) {
          case 'disk':
            return strikeDisk(disks, action);
          case 'network':
            if (action.kind === 'lone-copy-cut') return cutOffLoneCopy(disks, network, world.stream(`fault ${action.id}`));
            this.#struck.network++;
            // Not where the disk may lose the same entry: the member waits for a peer that has it
            // then, and there may be none that lives.
            if (action.kind === 'flipped-entry' && profile === 'table') {
              flipInMemory({ world, nodes, coverage, untilUs }, world.stream(`memory ${action.id}`));
            }
            return strikeNetwork({ world, network, nodes: this.#places(), clients: settings.clients, coverage }, action);
          case 'member':
            this.#struck.members++;
            return this.operator.begin(action);
          case 'process':
            return strikeProcess(process, action);
          case 'ops': {
            const aged = (node: SimNode, last: number): void => this.checks.aged(node, last);
            return strikeOps({ ...process, aged, backup: (node, random) => this.backups.begin(node, random) }, action);
          }
        }
      });
    }
  }

  #processContext(disks: DiskContext, untilUs: number): ProcessContext {
    const { world, cluster, coverage, settings: { electionMs } } = this;
    return {
      world, cluster, coverage, electionMs, untilUs,
      forgets: (node, what) => this.oracle.noteFault(node.id, what),
      mayForget: (node) => mayDoom(disks, node),
      hears: (node) => this.#hears(node),
      struck: () => void this.#struck.process++,
    };
  }

  /** Where faults of the network strike: among the members, if there are several. */
  #places(): readonly number[] {
    const { members, nodes } = this.cluster;
    return (members.length > 1 ? members : nodes).map(({ id }) => id);
  }

  #hears(node: SimNode): boolean {
    const { cluster, network } = this;
    return cluster.nodes.every(({ id, state }) =>
      id === node.id || state === 'fenced' || state === 'away' || (state === 'up' && network.cuts.isClear(id, node.id) && network.cuts.isClear(node.id, id)));
  }

  #everySecond(): void {
    this.world.schedule(SECOND_US, () => {
      this.checks.step();
      this.#everySecond();
    });
  }

  async #until(atUs: number, done: () => boolean = () => false): Promise<void> {
    await this.world.run(this.#pump, atUs, () => this.failed || done());
  }

  /**
   * Everything is whole from now on; what is broken must mend, what is rotten must be found.
   * Clients go on until they have asked what a run must ask; the time to come to rest begins when
   * they are done.
   */
  async #comeToRest(): Promise<void> {
    const { world, cluster, workload, checks, operator, upgrades } = this;
    calm(this.network);
    for (const { disk, id } of cluster.nodes) {
      disk.disarm();
      disk.powerOffAfter(Infinity);
      this.oracle.noteMended(id);
    }
    cluster.revive();
    await this.#until(world.nowUs + REST_US, () => workload.done);
    workload.stop();
    this.streams?.settle();
    const deadline = world.nowUs + REST_US;
    const areUp = (): boolean => this.#standing().length > 0 && this.#standing().every((node) => node.state === 'up');
    const tasks = (): readonly string[] => [...operator.tasks, ...upgrades.tasks];
    await this.#until(deadline, () => tasks().length === 0 && areUp());
    await this.#scrubAll(deadline);
    let left: string[];
    do {
      await this.#until(world.nowUs + REST_POLL_US);
      left = [...checks.atRest(), ...tasks().map((task) => `an operator is not done with ${task}`), ...(this.streams?.notAtRest() ?? [])];
      if (!workload.idle) left.push('clients wait for answers');
    } while (left.length > 0 && world.nowUs < deadline && !this.failed);
    if (left.length > 0) this.report('liveness', 'a healed cluster comes to rest', left.join('; '));
  }

  #standing(): readonly SimNode[] {
    return this.cluster.nodes.filter((node) => node.state !== 'fenced' && node.state !== 'away');
  }

  async #scrubAll(deadline: number): Promise<void> {
    let open = 0;
    for (const { running, process } of this.cluster.nodes) {
      if (running === undefined || process === undefined) continue;
      open++;
      running.store.scrub(() => undefined).then(
        () => open--,
        (error: unknown) => {
          if (process.alive) this.report('crash', 'a scrub of a whole cluster ends', messageOf(error), process.node);
        },
      );
    }
    await this.#until(deadline, () => open === 0);
  }

  /**
   * No fault is one that a node may stop for, for good, as long as every block has a copy; when one
   * has none, which `table` spares, at most a minority may.
   */
  #enoughAreLeft(): void {
    const { fenced, nodes } = this.cluster;
    if (fenced.length === 0) return;
    const isLost = this.#faults !== 'table' && this.oracle.verdict.lostBlock(true) !== undefined;
    const most = isLost ? Math.floor((this.cluster.members.length - 1) / 2) : 0;
    if (fenced.length <= most) return;
    const who = fenced.map(({ node, code, excuse }) => `node ${node} by ${code} (${excuse})`).join(', ');
    this.report('liveness', 'no more nodes stop for good than may', `${who}: at most ${most} of ${nodes.length} may`);
  }

  /** Of a cluster at rest one can be had, as long as no block is gone. */
  async #lastBackup(): Promise<void> {
    const random = this.world.stream('last backup');
    const node = random.pick(this.cluster.nodes.filter((each) => each.state === 'up' && !this.#isLearner(each)));
    let whole: boolean | undefined;
    this.backups.begin(node, random, (is) => void (whole ??= is));
    await this.#until(this.world.nowUs + READ_BACK_US, () => whole !== undefined);
    if (whole === true || this.failed || this.oracle.verdict.lostBlock() !== undefined) return;
    this.report('liveness', 'a cluster at rest can be backed up', `node ${node.id} gave no backup in ${READ_BACK_US / SECOND_US} s`, node.id);
  }

  async #readBack(): Promise<void> {
    let open = 0;
    for (const node of this.cluster.nodes) {
      if (node.state !== 'up') continue;
      open++;
      const excused = (code: string): boolean =>
        (code === 'DATA_LOSS' && this.oracle.verdict.lostBlock() !== undefined) || (code === 'LEARNER' && this.#isLearner(node));
      void this.workload.finalReads(node, excused).then(() => open--);
    }
    await this.#until(this.world.nowUs + READ_BACK_US, () => open === 0);
    if (open === 0 || this.failed) return;
    this.report('liveness', 'everything can be read back', `${open} nodes did not answer every read in ${READ_BACK_US / SECOND_US} s`);
  }

  #isLearner({ member }: SimNode): boolean {
    return this.oracle.roster.members?.confState.learners.includes(member) === true;
  }

  /** The error names the block; where it does not, any block that is gone everywhere will do. */
  #dataLoss({ node }: Pick<OpRecord, 'node'>, error: unknown): void {
    const text = messageOf(error);
    const named = /table (\d+), block at (\d+)/.exec(text);
    const { census, verdict } = this.oracle;
    const meta = named === null ? undefined : census.meta(Number(named[1]));
    const gone = meta === undefined ? verdict.lostBlock() !== undefined : verdict.everyCopyGone(meta.fileDigest, Number(named?.[2]), 1);
    if (!gone) this.report('correctness', 'DATA_LOSS only when every copy is gone', `a client was told: ${text}`, node);
  }

  #report(violation: Violation): void {
    if (this.violations.length >= MAX_VIOLATIONS) return;
    this.violations.push(violation);
    const { trace } = this.world;
    if (trace.taping) trace.row(violation.atUs, violation.node, `VIOLATION ${violation.kind}: ${violation.check}: ${violation.message}`);
  }
}

/**
 * Never rejects for what the store did: that is in the result. Rejects for a bug of the simulator
 * itself.
 */
export async function simulate(options: SimOptions, shell: SimShell): Promise<SimResult> {
  const run = new Run(options, shell);
  const deaf = shell.onUnhandled?.((reason) => run.unhandled(reason));
  try {
    await run.all();
    return run.result();
  } finally {
    deaf?.();
  }
}
