/**
 * Changes of the members: what any member asks for, and what the leader does about it. Whoever asks
 * draws a token; the question may be asked again, of whoever leads then, and is carried out once.
 * The answer comes when the change is applied where it was proposed and no configuration is joint.
 *
 *   1. the leader waits until it has applied an entry of its own term, and every change before this
 *      one: so it knows what it changes (R1, one change at a time);
 *   2. it refuses what is not valid, what the version of the cluster does not allow, and, unless
 *      told otherwise, what could cost the quorum (`member-rules.ts`);
 *   3. a leader that is to go hands over first, and the next leader proposes it;
 *   4. it proposes an entry of the configuration. The Raft core leaves a joint one by itself.
 */

import { assert } from '../base/assert.js';
import { ByteReader, ByteWriter } from '../base/bytes.js';
import { CodecError, codeOf } from '../base/errors.js';
import { sleep, type Env } from '../base/env.js';
import { formatId, type NodeId } from '../base/ids.js';
import { ETCD_MESSAGES, EtcdError, type EtcdErrorCode } from '../api/etcd-error.js';
import { VERSION_2 } from './base/protocol.js';
import type { ClusterVersionRaiser } from './consensus/cluster-version.js';
import { memberConfChange, readChange, writeChange } from './entry/member-entry.js';
import type { ReplicatedState } from './kv/replicated-state.js';
import { transferLeadership, type TransferParts } from './leadership-transfer.js';
import { isInSync, quorumAtRisk, type Health } from './member-rules.js';
import type { RemovedMembers } from './removed-members.js';
import type { Life } from './state/life.js';
import { goneBy, isJoint, refusalOf, rivalsOf, type MemberChange, type Members } from './state/members.js';
import { readMembers, writeMembers } from './state/members-codec.js';
import type { Membership } from './state/membership.js';

export const CHANGE_MEMBERS_METHOD = 'members.change';

export interface MemberChangesParts extends TransferParts {
  readonly env: Env;
  readonly life: Life;
  readonly membership: Membership;
  readonly state: ReplicatedState;
  readonly clusterVersion: ClusterVersionRaiser;
  readonly removed: Pick<RemovedMembers, 'areTold'>;
  /** What this member tells the others and its clients. */
  readonly clientUrls: readonly string[];
  readonly timeoutMs: number;
  /** Refuse what could cost the quorum. */
  readonly strict: boolean;
}

const POLL_MS = 20;
/** Of one call to the leader; it is asked again. */
const CALL_MS = 3_000;
/** A member counts as alive that long after it was heard from. */
const ALIVE_MS = 3_000;
/** How long it is waited for members that were not heard from since the leader began. */
const VERSION_MS = 2_000;
/** Questions that are being carried out, or wait for another one. */
const MAX_WAITING = 64;

export class MemberChanges {
  readonly #parts: MemberChangesParts;
  #publishing = false;
  #waiting = 0;

  constructor(parts: MemberChangesParts) {
    this.#parts = parts;
  }

  /**
   * Resolves with the members afterwards. An id of 0 for one that is added: the leader gives it.
   * Rejects with EtcdError; TIMEOUT and STOPPED leave the outcome unknown.
   */
  async change(change: MemberChange): Promise<Members> {
    const { env, leadership, timeoutMs } = this.#parts;
    const token = this.#draw();
    const deadline = env.clock.now() + timeoutMs;
    for (;;) {
      this.#checkTime(deadline);
      const { leader, self } = leadership;
      try {
        if (leader === self) return await this.#lead(token, change, deadline);
        if (leader !== 0) return await this.#ask(leader, token, change, deadline);
      } catch (error) {
        if (error instanceof EtcdError && error.code !== 'NOT_LEADER') throw error;
        if (codeOf(error) === undefined) throw error;
        // Whoever carried it out has no more to say to this member.
        if (codeOf(error) === 'REMOVED' && goneBy(change).includes(self)) return withoutMember(this.#parts.membership.applied, self);
      }
      await sleep(env.clock, POLL_MS);
    }
  }

  /** The leader's side of a question. Rejects with CodecError. */
  async answer(request: Uint8Array): Promise<Uint8Array> {
    const { env } = this.#parts;
    const input = new ByteReader(request, 'change of the members');
    const [token, forMs] = [input.u53(), input.varint()];
    const change = readChange(input);
    input.end();
    try {
      const members = await this.#lead(token, change, env.clock.now() + Math.min(forMs, CALL_MS));
      return writeMembers(new ByteWriter(256).u8(1), members).finish();
    } catch (error) {
      if (!(error instanceof EtcdError)) throw error;
      return new ByteWriter(64).u8(0).text(error.code).text(error.wireMessage.slice(ETCD_MESSAGES[error.code].length + 2)).finish();
    }
  }

  /** Called each second: what this member says of itself is put into the log if it differs. */
  tick(): void {
    const { membership, leadership, clientUrls } = this.#parts;
    const { self } = membership;
    const own = membership.applied.list.find(({ id }) => id === self);
    if (this.#publishing || membership.applied.isStatic || own === undefined || leadership.leader === 0) return;
    const name = membership.nameOf(self);
    if (own.name === name && JSON.stringify(own.clientUrls) === JSON.stringify(clientUrls)) return;
    this.#publishing = true;
    const over = (): void => void (this.#publishing = false);
    this.change({ kind: 'publish', id: self, name, clientUrls }).then(over, over);
  }

  async #ask(leader: NodeId, token: number, change: MemberChange, deadline: number): Promise<Members> {
    const { env } = this.#parts;
    const forMs = Math.min(CALL_MS, Math.ceil(deadline - env.clock.now()));
    const request = writeChange(new ByteWriter(128).u53(token).varint(forMs), change).finish();
    const reply = await env.network.call(leader, CHANGE_MEMBERS_METHOD, request, forMs);
    const input = new ByteReader(reply, 'answer to a change of the members');
    if (input.u8() === 1) return readMembers(input);
    const code = input.text();
    if (!(code in ETCD_MESSAGES)) throw new CodecError(`a change of the members was refused as ${code}`);
    // The leader's patience is shorter than ours, and its life may be, too: another one is asked.
    throw new EtcdError(code === 'TIMEOUT' || code === 'STOPPED' ? 'NOT_LEADER' : (code as EtcdErrorCode), input.text());
  }

  async #lead(token: number, asked: MemberChange, deadline: number): Promise<Members> {
    if (this.#waiting >= MAX_WAITING) throw new EtcdError('TOO_MANY_REQUESTS');
    this.#waiting++;
    try {
      return await this.#carryOut(token, asked, deadline);
    } finally {
      this.#waiting--;
    }
  }

  async #carryOut(token: number, asked: MemberChange, deadline: number): Promise<Members> {
    const { env, leadership, membership, driver, removed } = this.#parts;
    assert(token > 0, 'S2 a change has a name');
    const since = env.clock.now();
    const newId = this.#freeId();
    for (;;) {
      if (!leadership.isLeader) throw new EtcdError('NOT_LEADER');
      this.#checkTime(deadline);
      const { applied } = membership;
      if (leadership.mayShapeTree && !driver.node.isChangingConfig && !isJoint(applied.confState)) {
        const isDone = applied.tokens.includes(token) || isCarriedOut(applied, asked);
        // Who is told that a member is gone takes its machine away.
        if (isDone && removed.areTold) return applied;
        const change = whole(asked, applied, newId);
        if (!isDone && this.#isAllowed(change, since)) {
          await this.#handOver(change);
          const base = applied.isStatic ? applied.origin : [];
          driver.proposeAsLeader(memberConfChange({ token, base, change }));
        }
      }
      await sleep(env.clock, POLL_MS);
    }
  }

  /** False: wait. Throws EtcdError. */
  #isAllowed(change: MemberChange, since: number): boolean {
    const { env, state, clusterVersion, membership, driver, strict } = this.#parts;
    if (state.version < VERSION_2) {
      if (env.clock.now() - since < VERSION_MS) return false;
      const names = clusterVersion.heldBackBy(VERSION_2).map(({ id, name }) => `${name} (${formatId(id)})`);
      const who = names.length === 0 ? 'the leader raises it: try again' : `waiting for a newer program, or for a word, of ${names.join(', ')}`;
      throw new EtcdError('CLUSTER_TOO_OLD', who);
    }
    const refusal = refusalOf(membership.applied, change);
    if (refusal !== undefined) throw new EtcdError(refusal);
    const { progress, commit } = driver.node.status();
    if (change.kind === 'promote' || change.kind === 'replace') {
      const since = membership.knownSince(change.id);
      if (!isInSync(progress?.get(change.id), { commit, since })) throw new EtcdError('LEARNER_NOT_READY');
    }
    const { alive } = this.#health();
    if (change.kind === 'readmit' && [change.of, ...change.dropped].some((id) => alive.has(id))) throw new EtcdError('MEMBER_ACTIVE');
    const risk = strict ? quorumAtRisk(membership.applied, change, this.#health()) : undefined;
    if (risk !== undefined) throw new EtcdError(risk);
    return true;
  }

  #health(): Health {
    const { membership, gossip, driver } = this.#parts;
    const { progress } = driver.node.status();
    const { members, self } = membership;
    const ids = members.map(({ id }) => id);
    const started = members.filter(({ id, name }) => name !== '' || id === self || gossip.of(id) !== undefined).map(({ id }) => id);
    const alive = ids.filter((id) => id === self || progress?.get(id)?.recentActive === true || gossip.isFresh(id, ALIVE_MS));
    return { alive: new Set(alive), started: new Set(started) };
  }

  /** A leader that goes is followed by another before: clients see a transfer, not an election. */
  async #handOver(change: MemberChange): Promise<void> {
    if (goneBy(change).includes(this.#parts.membership.self) && (await transferLeadership(this.#parts))) throw new EtcdError('NOT_LEADER');
  }

  #checkTime(deadline: number): void {
    const { env, life, leadership } = this.#parts;
    if (life.ended) throw new EtcdError('STOPPED');
    if (env.clock.now() >= deadline) throw new EtcdError(leadership.leader === 0 ? 'NO_LEADER' : 'TIMEOUT');
  }

  /** Of no member, now or before. */
  #freeId(): NodeId {
    const { list, removed } = this.#parts.membership.applied;
    for (;;) {
      const id = this.#draw();
      if (!removed.includes(id) && !list.some((member) => member.id === id)) return id;
    }
  }

  /** 1 to 2^53 - 1. */
  #draw(): number {
    const { random } = this.#parts.env;
    return random.below(2 ** 21) * 2 ** 32 + random.uint32() || 1;
  }
}

/** What the leader adds to a change that was asked for. */
function whole(asked: MemberChange, applied: Members, newId: NodeId): MemberChange {
  if (asked.kind === 'add' && asked.id === 0) return { ...asked, id: newId };
  return asked.kind === 'readmit' ? { ...asked, dropped: rivalsOf(applied, asked) } : asked;
}

/** The new id names a re-admission: whoever asks again, with another token, learns of it. */
function isCarriedOut({ list }: Members, asked: MemberChange): boolean {
  return asked.kind === 'readmit' && list.some(({ id }) => id === asked.id);
}

function withoutMember(members: Members, gone: NodeId): Members {
  return { ...members, list: members.list.filter(({ id }) => id !== gone) };
}
