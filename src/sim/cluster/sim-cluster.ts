/**
 * The cluster under test: lives of the shipping replica on disks that outlive them. A life ends by
 * a fault (power, kill) or because the replica says that it cannot go on; then a supervisor starts
 * it again, as a service manager would, later each time.
 *
 * What a replica may not do is here: throw out of an event, stop with anything but a typed error,
 * or stop for good without a fault that excuses it.
 */

import { assert, AssertionError } from '../../base/assert.js';
import type { Disk } from '../../base/disk.js';
import type { Env } from '../../base/env.js';
import { codeOf, messageOf } from '../../base/errors.js';
import type { KintsugiEvent } from '../../base/events.js';
import type { ClusterVersion } from '../../base/ids.js';
import { openMember } from '../../node/open-member.js';
import { WaitingMember } from '../../node/waiting-member.js';
import type { Coverage } from '../model/coverage.js';
import { SimDisk } from '../disk/sim-disk.js';
import type { SimNetwork } from '../network/sim-network.js';
import type { ViolationKind } from '../model/result.js';
import { logWay, PATHS, readmitted } from '../model/paths.js';
import { flagsOf, type RunSettings } from '../model/settings.js';
import { VERSION_2 } from '../../replica/base/protocol.js';
import { simClock, simWorkers } from '../world/sim-env.js';
import { WallClocks } from '../world/wall-clocks.js';
import type { Process, World } from '../world/world.js';
import { describeEvent, nameOf, QUIET } from './describe-event.js';
import { founder, speakerOf, type Identity } from './identity.js';
import { identityOf } from './identity-of.js';
import { Node, type ClusterWatcher, type Fenced } from './node.js';
import { isPowerOff } from './power-off.js';
import { CURED, recoverDirectory } from './recover.js';
import type { SimNode } from './sim-node.js';

const SECOND_US = 1_000_000;
const FIRST_BACKOFF_US = SECOND_US;
const MAX_BACKOFF_US = 15 * SECOND_US;
/** A node that stops so often in a row with one excuse is given up until the faults are over. */
const STOPS_UNTIL_FENCED = 3;
/** Of simulated time, over the longest stall that a disk may have. */
const MAX_STOP_US = 60 * SECOND_US;

export class SimCluster {
  /** All machines: more may come. */
  readonly nodes: readonly SimNode[];
  readonly fenced: Fenced[] = [];
  readonly #nodes: Node[];
  readonly #world: World;
  readonly #settings: RunSettings;
  readonly #network: SimNetwork;
  readonly #coverage: Coverage;
  readonly #wall: WallClocks;
  #watcher: ClusterWatcher | undefined;
  #program: ClusterVersion;

  constructor(world: World, settings: RunSettings, network: SimNetwork, coverage: Coverage, wall = new WallClocks()) {
    [this.#world, this.#wall, this.#network] = [world, wall, network];
    [this.#settings, this.#coverage] = [settings, coverage];
    this.#program = settings.newestVersion;
    this.#nodes = Array.from({ length: settings.nodes }, (_, i) => this.#newNode(i + 1, founder(i + 1, settings.nodes)));
    this.nodes = this.#nodes;
  }

  watch(watcher: ClusterWatcher): void {
    this.#watcher = watcher;
  }

  startAll(): void {
    for (const node of this.#nodes) this.#start(node);
  }

  /** One more machine, with an empty disk: no member yet. */
  addMachine(): SimNode {
    const node = this.#newNode(this.#nodes.length + 1, undefined);
    this.#nodes.push(node);
    this.#network.add(node.id);
    return node;
  }

  /** A machine on which no member lives is another member from now on. */
  enroll(target: SimNode, identity: Identity): void {
    const node = target as Node;
    assert(node.state === 'away' && node.process === undefined, `node ${node.id} is down while it becomes another member`);
    node.joins(identity);
    node.state = 'down';
    node.stops = 0;
    node.recovers = false;
    if (node.holds <= 0) this.#start(node);
  }

  /** The machine of one that is no member any more gets an empty disk. */
  empty(target: SimNode): void {
    const node = target as Node;
    assert(node.state === 'away' && node.process === undefined, `no member lives on node ${node.id} while it is emptied`);
    node.disk.killed();
    node.disk.disarm();
    node.disk.wipe();
  }

  /** It is no member any more: its machine is given back. */
  retire(target: SimNode): void {
    const node = target as Node;
    this.#end(node, 'kill');
    this.#away(node);
  }

  /** What was removed is started once more, as if nobody had told the machine. */
  startAgain(target: SimNode): void {
    const node = target as Node;
    if (node.state !== 'away' || node.identity === undefined) return;
    node.state = 'down';
    if (node.holds <= 0) this.#start(node);
  }

  /** Another program is put on the machine: its next life runs it. New ones have the newest. */
  install(target: SimNode, program: ClusterVersion): void {
    (target as Node).program = program;
    this.#program = Math.max(this.#program, program);
  }

  /** Machines on which a member lives. */
  get members(): readonly SimNode[] {
    return this.#nodes.filter(({ state }) => state !== 'away');
  }

  /** Who may propose tree ops: undefined between leaders. */
  leader(): SimNode | undefined {
    return this.#nodes.find((node) => node.state === 'up' && node.running?.replica.leadership.mayShapeTree === true);
  }

  /**
   * Ends a life at once: by power loss, or by kill -9, which the page cache survives. It stays down
   * until `up`.
   */
  down(target: SimNode, how: 'power' | 'kill'): void {
    const node = target as Node;
    node.holds++;
    this.#end(node, how);
  }

  /** Goes on, but once its life has ended it stays down until `up`. */
  hold(target: SimNode): void {
    (target as Node).holds++;
  }

  /** Lets a node that was taken down start again. */
  up(target: SimNode): void {
    const node = target as Node;
    node.holds--;
    if (node.holds > 0) return;
    if (node.state === 'down' && node.process === undefined) this.#start(node);
  }

  /**
   * As an operator stops it: leadership is not handed over here, files are closed. Resolves when it
   * is down; call `up` then.
   */
  async stop(target: SimNode): Promise<void> {
    const node = target as Node;
    const { running, process } = node;
    node.holds++;
    if (running === undefined || process === undefined || node.state !== 'up') return this.#end(node, 'kill');
    const slow = this.#world.schedule(MAX_STOP_US, () => this.#report('liveness', 'an orderly stop ends', 'stop() hangs', node), process);
    try {
      await Promise.race([running.replica.stop(), new Promise<void>((resolve) => node.ended.push(resolve))]);
    } catch (error) {
      if (process.alive && codeOf(error) === undefined) this.#report('crash', 'an orderly stop ends', error, node);
    }
    slow.cancel();
    if (node.process === process) this.#end(node, 'kill');
  }

  /** Every fault is over: who was given up gets one more chance, and nobody waits for a backoff. */
  revive(): void {
    for (const node of this.#nodes) {
      node.holds = 0;
      node.stops = 0;
      if (node.process !== undefined) this.#world.resume(node.process);
      else if (node.state !== 'away') this.#start(node);
    }
  }

  /** An event of this life threw, or a promise that nobody waits for rejected. */
  threw(process: Process | undefined, error: unknown): void {
    if (isPowerOff(error)) return;
    const node = this.#nodes.find(({ id }) => id === process?.node);
    this.#report('crash', 'nothing throws out of an event', error, node);
    if (node !== undefined && node.process === process && process?.alive === true) this.#stopped(node, process, error, true);
  }

  #away(node: Node): void {
    node.state = 'away';
    this.#unfence(node);
  }

  #unfence(node: Node): void {
    const given = this.fenced.findIndex((fenced) => fenced.node === node.id);
    if (given >= 0) this.fenced.splice(given, 1);
  }

  #newNode(id: number, identity: Identity | undefined): Node {
    return new Node(id, new SimDisk(this.#world, id, this.#coverage), identity, this.#program);
  }

  #start(node: Node): void {
    const world = this.#world;
    const process: Process = { node: node.id, alive: true, stalledUntilUs: world.nowUs };
    node.process = process;
    node.state = 'opening';
    node.lives++;
    node.letIn = false;
    world.trace.fold(0x57a7, node.id);
    if (world.trace.taping) world.trace.row(world.nowUs, node.id, `start (life ${node.lives})`);
    this.#open(node, process).then(
      () => {
        if (!process.alive) return;
        node.state = 'up';
        node.stopsWaiting();
        node.stops = 0;
        node.recovers = false;
        this.#unfence(node);
        if (world.trace.taping) world.trace.row(world.nowUs, node.id, 'up');
        this.#watcher?.onStart(node);
      },
      (error: unknown) => {
        if (process.alive) this.#stopped(node, process, error, false);
      },
    );
  }

  async #open(node: Node, process: Process): Promise<void> {
    const { heartbeatMs, electionMs, logSegmentBytes, streams } = this.#settings;
    const { tree, cacheBytes } = flagsOf(this.#world, this.#settings, node.id, node.lives);
    if (tree !== this.#settings.tree) this.#coverage.branch(PATHS.otherFlags);
    const disk = this.#attach(node, process);
    const autoRecover = node.recovers || (this.#recovers && this.#world.stream(`recovers ${node.id} ${node.lives}`).chance(1, 2));
    const identity = await identityOf(node, { disk, ...this.#surroundings(node, process) }, autoRecover);
    if (!process.alive) return;
    if (identity.self !== node.member && identity !== node.flags) {
      node.reborn(identity);
      this.#coverage.branch('readmission as another member');
      this.#watcher?.onReborn(node);
    }
    const env = this.#env(node, process, identity, disk);
    const waiting = new WaitingMember(env, identity);
    node.waiting = waiting;
    const member = await openMember(env, {
      ...identity, outlook: waiting.outlook, autoRecover,
      clientUrls: [], settings: tree, heartbeatMs, electionMs, logSegmentBytes, cacheBytes, newestVersion: node.program,
      ...(streams === undefined ? {} : { watch: streams, recentBytes: streams.recentBytes }),
      // Entries are small: so other things happen in the middle of them, and elsewhere on each.
      sliceKeys: 1 + (node.id % 3),
      onFatal: (error) => {
        if (process.alive) this.#stopped(node, process, error, false);
      },
    });
    if (!process.alive) return;
    node.running = { process, ...member };
    this.#watcher?.onOpen(node);
    await member.replica.start();
  }

  #attach(node: Node, process: Process): Disk {
    return node.disk.attach(process, () => {
      if (node.process === process) this.#powerWent(node);
    });
  }

  #env(node: Node, process: Process, identity: Identity, disk: Disk): Env {
    const world = this.#world;
    return {
      ...this.#surroundings(node, process),
      disk,
      network: this.#network.attach(process, speakerOf(identity)),
      workers: simWorkers(world, process, world.stream(`node ${node.id} life ${node.lives} slices`)),
    };
  }

  #surroundings(node: Node, process: Process): Pick<Env, 'clock' | 'random' | 'events'> {
    const random = this.#world.stream(`node ${node.id} life ${node.lives}`);
    return { random, clock: simClock(this.#world, process, this.#wall), events: { emit: (event) => this.#onEvent(node, process, event) } };
  }

  #onEvent(node: Node, process: Process, event: KintsugiEvent): void {
    if (!process.alive) return;
    this.#coverage.event(event.type);
    if (event.type === 'warning') this.#coverage.warned(event.message);
    if (event.type === 'log-way') this.#coverage.branch(logWay(event.of, event.way));
    if (event.type === 'readmission' && event.stage === 'admitted') node.letIn = true;
    const { trace, nowUs } = this.#world;
    trace.foldText(event.type);
    if (trace.taping && !QUIET.has(event.type)) trace.row(nowUs, node.id, describeEvent(event));
    this.#watcher?.onEvent(node, event);
  }

  #powerWent(node: Node): void {
    this.#end(node, 'power');
    const delay = this.#world.stream(`power ${node.id} ${node.lives}`).between(50_000, 3 * SECOND_US);
    this.#restartAfter(node, delay);
  }

  /** The replica says that it cannot go on: its process ends, and the supervisor looks after it. */
  #stopped(node: Node, process: Process, error: unknown, reported: boolean): void {
    const code = codeOf(error);
    const typed = code !== undefined && !(error instanceof AssertionError);
    this.#coverage.branch(`stop ${typed ? `${nameOf(error)} ${code}` : 'untyped'}`);
    if (this.#world.trace.taping) this.#world.trace.row(this.#world.nowUs, node.id, `stops: ${messageOf(error)}`);
    const removed = code === 'REMOVED' && this.#watcher?.isRemoved(node) === true;
    const again = code === 'READMISSION' && node.recovers;
    // It says what to do about it, and stays down until an operator has done so.
    const old = code === 'CLUSTER_NEWER' && node.program < (this.#settings.upgradesTo ?? 0);
    const excuse = removed ? 'it was removed' : again ? 'it is to be re-admitted' : old ? 'its program is too old' : typed ? this.#watcher?.excuse(node, error) : undefined;
    if (!reported && !typed) this.#report('crash', 'a node stops only with a typed error', error, node);
    if (!reported && typed && excuse === undefined) this.#report('crash', `no stop without a fault that excuses it: ${code}`, error, node);
    this.#end(node, 'kill');
    // Who was let in as another member is that one with the next start.
    if (excuse !== undefined && !node.letIn && this.#watcher?.isRemoved(node) === true) {
      this.#away(node);
      return;
    }
    if (old) return this.#restartAfter(node, MAX_BACKOFF_US);
    if (code === 'READMISSION') {
      if (!node.recovers) this.#coverage.branch(readmitted('itself', codeOf(error instanceof Error ? error.cause : undefined) ?? 'unknown'));
      node.recovers = true;
      return this.#restartAfter(node, FIRST_BACKOFF_US);
    }
    node.stops++;
    if (this.#recovers && excuse !== undefined && CURED.has(code ?? '')) return void this.#recover(node, code ?? '');
    const fenced = this.fenced.some((fenced) => fenced.node === node.id);
    if (excuse !== undefined && (fenced || node.stops >= STOPS_UNTIL_FENCED)) {
      node.state = 'fenced';
      if (!fenced) this.fenced.push({ node: node.id, code: code ?? '', excuse });
      return;
    }
    this.#restartAfter(node, Math.min(MAX_BACKOFF_US, FIRST_BACKOFF_US * (1 << Math.min(node.stops - 1, 8))));
  }

  /** The members can be asked to let one in again. */
  get #recovers(): boolean {
    return this.#settings.newestVersion >= VERSION_2;
  }

  /** An operator runs `kintsugi recover --emptied` on the directory, and starts it again. */
  async #recover(node: Node, code: string): Promise<void> {
    const world = this.#world;
    const random = world.stream(`operator ${node.id} ${node.lives}`);
    const life = node.lives;
    await world.sleep(random.between(500_000, 8 * SECOND_US));
    if (node.lives !== life || node.process !== undefined || node.state !== 'down') return;
    const process: Process = { node: node.id, alive: true, stalledUntilUs: world.nowUs };
    node.process = process;
    const disk = this.#attach(node, process);
    try {
      await recoverDirectory(disk, node.member, random);
      this.#coverage.branch(readmitted('an operator', code));
      node.recovers = true;
    } catch (error) {
      if (codeOf(error) === undefined) this.#report('crash', 'kintsugi recover ends with a typed error', error, node);
      else this.#coverage.branch(`recover ${codeOf(error) ?? ''}`);
    }
    if (node.process !== process) return;
    process.alive = false;
    node.process = undefined;
    node.disk.killed();
    this.#restartAfter(node, FIRST_BACKOFF_US);
  }

  #restartAfter(node: Node, delayUs: number): void {
    const life = node.lives;
    this.#world.schedule(delayUs, () => {
      if (node.lives === life && node.process === undefined && node.holds <= 0 && node.state === 'down') this.#start(node);
    });
  }

  #end(node: Node, how: 'power' | 'kill'): void {
    const { process } = node;
    if (process !== undefined) {
      process.alive = false;
      this.#world.forget(process);
      this.#world.trace.fold(0xdead, node.id);
      if (this.#world.trace.taping) this.#world.trace.row(this.#world.nowUs, node.id, how === 'power' ? 'the power goes' : 'killed');
      this.#watcher?.onDeath(node);
      node.process = undefined;
      node.running = undefined;
      node.stopsWaiting();
      node.state = 'down';
      this.#network.died(node.id);
      for (const resolve of node.ended.splice(0)) resolve();
    }
    if (how === 'power') node.disk.crash();
    else node.disk.killed();
  }

  #report(kind: ViolationKind, check: string, error: unknown, node: Node | undefined): void {
    const text = error instanceof Error ? (error.stack ?? error.message) : messageOf(error);
    this.#watcher?.report(kind, check, text, node?.id ?? 0);
  }
}
