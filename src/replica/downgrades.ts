/**
 * The way back to an older program, as etcd's Downgrade RPC has it: an operator asks whether it can
 * be gone (validate), goes it (enable), or takes it back (cancel).
 *
 *   1. the leader asks every member whether it knows the way; nothing may be in use that the older
 *      version could not say (`ReplicatedState.obstacle`);
 *   2. it lowers the version by an entry. From there on only what the older version reads is
 *      written, alike on all members (S1);
 *   3. all of the log that the older version could not read is flushed, on every member, and the
 *      log dropped past it (`DurableLog.shed`): the leader has the memtable sealed as far as the
 *      members say, and appends what changes nothing where a log goes on only by that;
 *   4. each member says of itself, once its own files are such, that it may be started with the
 *      older program. One that is started too early refuses its files or waits, and loses nothing.
 *
 * The version stays low until a member of the older program was there and all are new again, or the
 * operator takes it back (`consensus/cluster-version.ts`).
 */

import { ByteReader, ByteWriter } from '../base/bytes.js';
import { CodecError, codeOf, messageOf } from '../base/errors.js';
import { sleep, type Env } from '../base/env.js';
import { formatId, type ClusterVersion, type LogIndex, type NodeId } from '../base/ids.js';
import { ETCD_MESSAGES, EtcdError, type EtcdErrorCode } from '../api/etcd-error.js';
import type { Tree } from '../storage/tree/tree.js';
import type { ClusterVersionRaiser } from './consensus/cluster-version.js';
import type { RaftDriver } from './consensus/raft-driver.js';
import { encodeClusterVersion, encodeDowngrade } from './entry/entry.js';
import type { ReplicatedState } from './kv/replicated-state.js';
import type { DurableLog } from './log/durable-log.js';
import type { Leadership } from './state/leadership.js';
import type { Life } from './state/life.js';
import type { Membership } from './state/membership.js';
import type { TreeMachine } from './tree/tree-machine.js';

/** In etcd's words and numbers. */
export const DOWNGRADE_ACTIONS = ['validate', 'enable', 'cancel'] as const;
export type DowngradeAction = (typeof DOWNGRADE_ACTIONS)[number];

export const DOWNGRADE_METHOD = 'downgrade.change';
/** Only who knows the way back answers it. */
export const SHED_METHOD = 'downgrade.shed';
/** After which downgrade a member has heard an older program. */
export const ACTED_METHOD = 'downgrade.acted';

/** How far this member's files are on the way back. */
export interface DowngradeStatus {
  readonly target: ClusterVersion;
  /** A program that knows no more than the target may be started with them. */
  readonly ready: boolean;
  /** What is not ready waits for this. */
  readonly waitsFor?: string;
}

export interface DowngradesParts {
  readonly env: Env;
  readonly life: Life;
  readonly membership: Pick<Membership, 'self' | 'members' | 'addresses'>;
  readonly leadership: Pick<Leadership, 'self' | 'leader' | 'isLeader' | 'mayShapeTree'>;
  readonly state: ReplicatedState;
  readonly tree: Tree;
  readonly log: Pick<DurableLog, 'shed' | 'lastIndex'>;
  readonly driver: Pick<RaftDriver, 'proposeAsLeader'>;
  readonly machine: Pick<TreeMachine, 'planner'>;
  readonly clusterVersion: Pick<ClusterVersionRaiser, 'raise' | 'heldBackBy' | 'actedOn' | 'learnActedOn'>;
  readonly timeoutMs: number;
}

const POLL_MS = 20;
/** Of one call to another member; it is made again. */
const CALL_MS = 3_000;
/** What was proposed may take this long to be applied. */
const AGAIN_MS = 1_000;
const MAX_WAITING = 16;

export class Downgrades {
  readonly #parts: DowngradesParts;
  /** The entry that lowered the version, and up to where entries must go; undefined: none. */
  #shed: { readonly at: LogIndex; readonly left: LogIndex | undefined } | undefined;
  #busy = false;
  #waiting = 0;

  constructor(parts: DowngradesParts) {
    this.#parts = parts;
  }

  /** The lowest version of the cluster whose programs can read this member's files. */
  get storageVersion(): ClusterVersion {
    const { lowered, version } = this.#parts.state;
    return lowered === undefined || this.#isReady ? version : lowered.target + 1;
  }

  /** Undefined: nobody asked for one. */
  get status(): DowngradeStatus | undefined {
    const { state, tree } = this.#parts;
    const { lowered } = state;
    if (lowered === undefined) return undefined;
    if (this.#isReady) return { target: lowered.target, ready: true };
    const flushed = tree.durable.flushed.index;
    const last = this.#shed?.at === lowered.at ? (this.#shed.left ?? lowered.through) : lowered.through;
    const waitsFor = flushed < last ? `entries up to ${last} are to be in tables, and are up to ${flushed}` : `the log is to be dropped up to entry ${last}`;
    return { target: lowered.target, ready: false, waitsFor };
  }

  get #isReady(): boolean {
    const { state, tree } = this.#parts;
    const { lowered } = state;
    if (lowered === undefined || this.#shed?.at !== lowered.at) return false;
    return this.#shed.left === undefined && tree.durable.flushed.index >= lowered.through;
  }

  /**
   * Resolves with the version of the cluster afterwards; `target` is of no matter to cancel.
   * Rejects with EtcdError; TIMEOUT and STOPPED leave the outcome unknown.
   */
  async change(action: DowngradeAction, target: ClusterVersion): Promise<ClusterVersion> {
    const { env, leadership, timeoutMs } = this.#parts;
    const deadline = env.clock.now() + timeoutMs;
    for (;;) {
      this.#checkTime(deadline);
      const { leader, self } = leadership;
      try {
        if (leader === self) return await this.#lead(action, target, deadline);
        if (leader !== 0) return await this.#ask(leader, action, target, deadline);
      } catch (error) {
        if (error instanceof EtcdError && error.code !== 'NOT_LEADER') throw error;
        if (codeOf(error) === undefined) throw error;
      }
      await sleep(env.clock, POLL_MS);
    }
  }

  /** Called each second. */
  tick(): void {
    if (this.#parts.state.lowered === undefined || this.#busy) return;
    this.#busy = true;
    this.#goOn().catch((error: unknown) => this.#parts.life.fail(error)).finally(() => (this.#busy = false));
  }

  /** Calls of other members. Rejects with CodecError. */
  async answer(method: string, request: Uint8Array): Promise<Uint8Array> {
    if (method === SHED_METHOD) return this.#answerShed();
    if (method === ACTED_METHOD) return new ByteWriter(8).varint(this.#parts.clusterVersion.actedOn).finish();
    const input = new ByteReader(request, 'downgrade');
    const action = DOWNGRADE_ACTIONS[input.u8()];
    const [target, forMs] = [input.varint(), input.varint()];
    input.end();
    if (action === undefined) throw new CodecError('a downgrade of unknown kind');
    try {
      const version = await this.#lead(action, target, this.#parts.env.clock.now() + Math.min(forMs, CALL_MS));
      return new ByteWriter(8).u8(1).varint(version).finish();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return new ByteWriter(64).u8(0).text(error.code).text(error.wireMessage.slice(ETCD_MESSAGES[error.code].length + 2)).finish();
    }
  }

  /** The entry that lowered the version, and up to where entries must go here; 0: none. */
  #answerShed(): Uint8Array {
    const { lowered } = this.#parts.state;
    const known = lowered !== undefined && this.#shed?.at === lowered.at ? this.#shed : undefined;
    const left = lowered === undefined || this.#isReady ? 0 : (known?.left ?? lowered.through);
    return new ByteWriter(16).varint(lowered?.at ?? 0).varint(left).finish();
  }

  async #goOn(): Promise<void> {
    const { state, log, leadership } = this.#parts;
    const { lowered } = state;
    if (lowered === undefined) return;
    this.#shed = { at: lowered.at, left: await log.shed(lowered.through).catch((error: unknown) => unless(error, lowered.through)) };
    if (!leadership.mayShapeTree) return;
    await this.#help(lowered.at);
    await this.#askActed(lowered.at);
  }

  /** The leader may have begun its life after the last member of an older program was there. */
  async #askActed(at: LogIndex): Promise<void> {
    const { clusterVersion, env } = this.#parts;
    if (clusterVersion.actedOn === at) return;
    await Promise.all(this.#others().map(async (id) => {
      try {
        const input = new ByteReader(await env.network.call(id, ACTED_METHOD, new Uint8Array(0), CALL_MS), 'answer to a downgrade');
        if (input.varint() === at) clusterVersion.learnActedOn(at);
      } catch (error) {
        // One of an older program does not know the question.
        if (codeOf(error) === undefined) throw error;
      }
    }));
  }

  /** The leader's part: what the members lack to go on. */
  async #help(at: LogIndex): Promise<void> {
    const { state, log, machine, driver, leadership, tree } = this.#parts;
    const said = await Promise.all(this.#others().map((id) => this.#leftOf(id, at)));
    const left = [this.#isReady ? 0 : (this.#shed?.left ?? at), ...said];
    const last = Math.min(Math.max(...left), log.lastIndex());
    if (last === 0 || state.lowered?.at !== at || !leadership.mayShapeTree) return;
    machine.planner.flush(last);
    // A log goes on to its next segment with its next entry: this one changes nothing.
    if (tree.durable.flushed.index >= last) driver.proposeAsLeader(encodeClusterVersion(state.version));
  }

  /** 0: that member is ready, or cannot be helped now. */
  async #leftOf(member: NodeId, at: LogIndex): Promise<LogIndex> {
    try {
      const answer = await this.#call(member);
      return answer.at === at ? answer.left : 0;
    } catch (error) {
      if (codeOf(error) === undefined) throw error;
      return 0;
    }
  }

  #others(): NodeId[] {
    const { membership } = this.#parts;
    return membership.members.map(({ id }) => id).filter((id) => id !== membership.self);
  }

  async #call(member: NodeId): Promise<{ at: LogIndex; left: LogIndex }> {
    const input = new ByteReader(await this.#parts.env.network.call(member, SHED_METHOD, new Uint8Array(0), CALL_MS), 'answer to a downgrade');
    const answer = { at: input.varint(), left: input.varint() };
    input.end();
    return answer;
  }

  async #ask(leader: NodeId, action: DowngradeAction, target: ClusterVersion, deadline: number): Promise<ClusterVersion> {
    const { env } = this.#parts;
    const forMs = Math.min(CALL_MS, Math.ceil(deadline - env.clock.now()));
    const request = new ByteWriter(16).u8(DOWNGRADE_ACTIONS.indexOf(action)).varint(target).varint(forMs).finish();
    const input = new ByteReader(await env.network.call(leader, DOWNGRADE_METHOD, request, forMs), 'answer to a downgrade');
    if (input.u8() === 1) return input.varint();
    const code = input.text();
    if (!(code in ETCD_MESSAGES)) throw new CodecError(`a downgrade was refused as ${code}`);
    // The leader's patience is shorter than ours.
    throw new EtcdError(code === 'TIMEOUT' ? 'NOT_LEADER' : (code as EtcdErrorCode), input.text());
  }

  async #lead(action: DowngradeAction, target: ClusterVersion, deadline: number): Promise<ClusterVersion> {
    if (this.#waiting >= MAX_WAITING) throw new EtcdError('TOO_MANY_REQUESTS');
    this.#waiting++;
    try {
      return await this.#carryOut(action, target, deadline);
    } finally {
      this.#waiting--;
    }
  }

  async #carryOut(action: DowngradeAction, target: ClusterVersion, deadline: number): Promise<ClusterVersion> {
    const { env, leadership, state, driver, clusterVersion } = this.#parts;
    let enabled = false;
    for (let proposedAt = -Infinity; ; await sleep(env.clock, POLL_MS)) {
      if (!leadership.isLeader) throw new EtcdError('NOT_LEADER');
      this.#checkTime(deadline);
      if (!leadership.mayShapeTree || state.settings === undefined) continue;
      const isLowered = state.lowered !== undefined;
      if (action === 'cancel' && !isLowered) return state.version;
      if (enabled && isLowered) return state.version;
      if (env.clock.now() - proposedAt < AGAIN_MS) continue;
      if (action === 'cancel') {
        this.#refuseOlder();
        clusterVersion.raise();
      } else {
        await this.#refuse(target);
        if (action === 'validate') return state.version;
        enabled = driver.proposeAsLeader(encodeDowngrade(target));
      }
      proposedAt = env.clock.now();
    }
  }

  /** Throws EtcdError: in etcd's order, and then what is ours. */
  async #refuse(target: ClusterVersion): Promise<void> {
    const { state, membership } = this.#parts;
    if (state.lowered?.target === target) throw new EtcdError('DOWNGRADE_IN_PROCESS');
    if (target < 1 || target !== state.version - 1) throw new EtcdError('INVALID_DOWNGRADE_TARGET_VERSION');
    const obstacle = state.obstacle(target);
    if (obstacle !== undefined) throw new EtcdError('DOWNGRADE_REFUSED', obstacle);
    for (const { id, name } of membership.members.filter((member) => member.id !== membership.self)) {
      try {
        await this.#call(id);
      } catch (error) {
        if (codeOf(error) === undefined) throw error;
        throw new EtcdError('DOWNGRADE_REFUSED', `member ${name} (${formatId(id)}) does not answer, or its program is too old for it: ${messageOf(error)}`);
      }
    }
  }

  #refuseOlder(): void {
    const { clusterVersion, state } = this.#parts;
    const names = clusterVersion.heldBackBy(state.version + 1).map(({ id, name }) => `${name} (${formatId(id)})`);
    if (names.length === 0) return;
    throw new EtcdError('CLUSTER_TOO_OLD', `${names.join(', ')} run an older program, or were not heard: start them with this one`);
  }

  #checkTime(deadline: number): void {
    const { env, life, leadership } = this.#parts;
    if (life.ended) throw new EtcdError('STOPPED');
    if (env.clock.now() >= deadline) throw new EtcdError(leadership.leader === 0 ? 'NO_LEADER' : 'TIMEOUT');
  }
}

/** A log that takes nothing now says so where it is written to; it is asked again. */
function unless<T>(error: unknown, value: T): T {
  if (codeOf(error) === undefined) throw error;
  return value;
}
