/**
 * Before a member takes part it asks the others what they remember of it. What it promised (votes,
 * acknowledgements) is in its files; if those are gone, or an older copy was put in their place, it
 * could promise again what contradicts them, and help to elect a leader that lacks acknowledged
 * writes (R1, R5, D1). Every life of a member announces itself through the log (an empty proposal
 * that carries its incarnation), and what it promised to each of the others these keep in a file
 * (`promises-store.ts`), so that what they remember survives their own restarts.
 *
 * A member that has never promised anything waits until somebody can tell whether it has: a member
 * that has just confirmed with a majority that its log is complete; or, in a cluster that does not
 * exist yet, so many others that never promised anything either that they make a majority with it.
 * A member whose files hold promises asks once and goes on: only those that it can reach could tell
 * it that it has forgotten some.
 *
 * While this member was away the others may have been re-admitted or replaced: who does not answer
 * under the id that is known here is asked as whoever is found at his place, and no new member
 * begins beside those that are found there.
 */

import { assert } from '../../base/assert.js';
import { ByteReader, ByteWriter } from '../../base/bytes.js';
import { codeOf, messageOf } from '../../base/errors.js';
import { sleep, type Env } from '../../base/env.js';
import { formatId, type NodeId } from '../../base/ids.js';
import { ReplicaError } from '../base/errors.js';
import { removedError } from '../base/removed.js';
import { EtcdError } from '../../api/etcd-error.js';
import { KnownPeers } from '../log-recovery/known-peers.js';
import type { HardStateStore } from '../hard-state/hard-state.js';
import type { ReplicatedState } from '../kv/replicated-state.js';
import type { Reads } from '../reads/reads.js';
import type { Leadership } from '../state/leadership.js';
import type { Life } from '../state/life.js';
import type { Membership } from '../state/membership.js';
import { canMissTheRest, NOT_KNOWN, readMetVoters, VotersKnown, writeMetVoters, type MetVoters, type VotersKnownParts } from './met-voters.js';
import { forgotten, type Kept, type Promised, type PromisesHeard, type Told } from './promises-heard.js';

export const REMEMBERED_METHOD = 'member.remembered';

const ASKS_AS_NEW = 1;
const ASKS = 0;

const ASK_MS = 1_500;
const CONFIRM_MS = 1_000;
const AGAIN_MS = 200;

export const DOUBTED = 'whoever talks to this member remembers more of it than its files do, and is no member that it knows of: it waits';

/**
 * What a member can say of its own memory.
 *
 *   new        it has never promised anything itself
 *   settled    it has all that was committed
 *   unsure     neither: what it has not got yet might tell more
 *   blank      it has promised its vote to itself, and its log holds nothing: it can tell no more
 *              than one that does not answer. Older programs take that for unsure
 */
const STATES = ['new', 'settled', 'unsure', 'blank'] as const;

export interface Remembered {
  readonly state: (typeof STATES)[number];
  /** The highest of the asking member that is known here; 0: it was never met. */
  readonly incarnation: number;
  /**
   * What it told this member before, in this life of it or an earlier one: shows a copy of the
   * files that is older although no start came between.
   */
  readonly promised: Promised & Told;
  /** Who votes, for one that begins; of any other, and by an older program: not known. */
  readonly met: MetVoters;
}

/** What this member remembers of its peers, for a peer that asks before it takes part. */
export interface PeerMemoryParts extends VotersKnownParts {
  readonly env: Env;
  readonly life: Life;
  /** Nothing was ever promised when its files were opened. */
  readonly wasNew: boolean;
  readonly leadership: Pick<Leadership, 'term'>;
  readonly state: ReplicatedState;
  readonly heard: PromisesHeard;
  readonly reads: Pick<Reads, 'confirm'>;
  readonly membership: Pick<Membership, 'self' | 'newest' | 'confState'>;
  readonly hardState: Pick<HardStateStore, 'current'>;
}

export class PeerMemory {
  readonly #parts: PeerMemoryParts;
  readonly #voters: VotersKnown;

  constructor(parts: PeerMemoryParts) {
    this.#parts = parts;
    this.#voters = new VotersKnown(parts);
  }

  /**
   * Only a new member waits for what a majority confirms: without a leader that takes a while, and
   * others need only what is remembered.
   */
  async answer(from: NodeId, request: Uint8Array): Promise<Uint8Array> {
    const { env, heard } = this.#parts;
    const asked = request[0] === ASKS_AS_NEW && !this.#isNew;
    const late = (): Promise<boolean> => sleep(env.clock, CONFIRM_MS).then(() => false);
    const settled = asked && (await Promise.race([this.#confirm().then(() => true, () => false), late()]));
    const state = settled ? 'settled' : this.#isNew ? 'new' : this.#isBlank ? 'blank' : 'unsure';
    const met = asked && state === 'unsure' ? await this.#voters.tell((member) => this.#met(member)) : NOT_KNOWN;
    // A leader acknowledges to nobody but itself, and others acknowledge to the leader alone; but
    // what they have applied is durable in their logs.
    const { term, acknowledged, votedForMe, applied } = heard.of(from);
    const out = new ByteWriter(48).u8(STATES.indexOf(state)).u53(this.#met(from));
    out.u53(term).u53(Math.max(acknowledged, applied)).u8(Number(votedForMe)).u53(applied);
    return writeMetVoters(out, met).finish();
  }

  get #isNew(): boolean {
    return this.#parts.wasNew && this.#parts.leadership.term === 0;
  }

  /** It stood for election, in the cluster as it was to begin, and nothing came of that. */
  get #isBlank(): boolean {
    const { membership, hardState, log } = this.#parts;
    return membership.newest.isStatic && log.lastIndex() === 0 && hardState.current?.vote === membership.self;
  }

  /** Resolves when all that was committed before the call is applied here (R4). */
  #confirm(): Promise<void> {
    return this.#parts.life.serving ? this.#parts.reads.confirm() : Promise.reject(new EtcdError('UNHEALTHY'));
  }

  /** The newest life of it that was met. */
  #met(member: NodeId): number {
    const { state, heard } = this.#parts;
    return Math.max(state.kv.incarnationOf(member), heard.of(member).incarnation);
  }
}

export interface StartCheck {
  readonly env: Env;
  readonly life: Life;
  readonly membership: Membership;
  readonly clusterId: bigint;
  /** Of this start. */
  readonly incarnation: number;
  /** This member's files hold no promise. */
  readonly isNew: boolean;
  /** What they hold. */
  readonly kept: Kept;
}

/** Resolves when this member may take part. Rejects with ReplicaError EMPTIED or ROLLED_BACK. */
export async function checkStart(check: StartCheck): Promise<void> {
  const { env, life, membership } = check;
  assert(!life.serving, 'R5 a member takes part only after the others were asked');
  assert(check.incarnation > 0, 'R5 a life has a number');
  const known = new KnownPeers(env, membership, check.clusterId);
  let doubted = false;
  const doubt = (remedy: string): void => {
    if (!doubted) env.events.emit({ type: 'warning', message: DOUBTED, data: { remedy } });
    doubted = true;
  };
  for (let round = 0; !life.ended; round++) {
    const { peers } = membership;
    const { states, met } = await askAll(check, known, peers, round === 0);
    const told = [...states.values()];
    if (!check.isNew) {
      if (!told.includes('another')) return;
      await known.askWho();
      const others = await askAll(check, known, known.peers.filter((peer) => !states.has(peer)), round === 0);
      if (![...others.states.values()].includes('doubtful')) return;
      doubt('if it is an older copy, put the newest data directory back; if that is lost: kintsugi recover --data-dir DIR');
      await sleep(env.clock, AGAIN_MS);
      continue;
    }
    if (told.includes('settled')) return;
    if (membership.isJoining || told.includes('silent') || told.includes('another')) {
      await known.askWho();
      if (membership.isJoining || known.peers.some((peer) => !states.has(peer))) membership.find(known.peers);
    }
    if (told.includes('doubtful')) doubt('if it is a member of their cluster, put its data directory back; if that is lost: kintsugi recover --data-dir DIR --emptied');
    if (membership.isJoining ? mayJoin(membership, known, { states, met }) : mayFound(membership, states)) return;
    if (round === 0) {
      const data = { asked: peers.length };
      env.events.emit({ type: 'warning', message: 'this member is new: it waits until the others can tell whether they know it', data });
    }
    await sleep(env.clock, AGAIN_MS);
  }
}

/**
 * `silent`: it did not answer. `another`: another member is found where it was. `doubtful`: it
 * remembers what the files here do not hold, but is a member by its own word alone, which is not
 * enough to take part, and not enough to end. `stranger`: the same, and remembers nothing.
 */
type NoAnswer = 'silent' | 'another' | 'doubtful' | 'stranger';

/** Who was asked, and what was answered. */
type States = ReadonlyMap<NodeId, Remembered['state'] | NoAnswer>;

interface Answers {
  readonly states: States;
  /** Of those that are unsure. */
  readonly met: ReadonlyMap<NodeId, MetVoters>;
}

/** Rejects with ReplicaError EMPTIED or ROLLED_BACK. */
async function askAll(check: StartCheck, known: KnownPeers, peers: readonly NodeId[], first: boolean): Promise<Answers> {
  const answers = await Promise.all(peers.map((peer) => (known.isNamed(peer) ? ask(check, peer, first) : askGuest(check, peer))));
  const states = new Map<NodeId, Remembered['state'] | NoAnswer>();
  const met = new Map<NodeId, MetVoters>();
  answers.forEach((answer, i) => {
    const peer = peers[i] as NodeId;
    if (typeof answer === 'object') refuse(check, peer, answer);
    states.set(peer, typeof answer === 'object' ? answer.state : answer);
    if (typeof answer === 'object' && answer.state === 'unsure') met.set(peer, answer.met);
  });
  return { states, met };
}

/**
 * In a cluster that does not exist yet, a majority has never promised anything, and nobody else is
 * found where they are, be it of another cluster: that may be what became of this one. Who is blank
 * counts as little as who does not answer: he may be waiting for the vote of those that ask.
 */
function mayFound(membership: Membership, states: States): boolean {
  const told = [...states.values()];
  if (told.includes('unsure') || told.includes('another') || membership.peers.some((peer) => !states.has(peer))) return false;
  return membership.isQuorum(new Set([membership.self, ...[...states].filter(([, state]) => state === 'new').map(([peer]) => peer)]));
}

/**
 * One that joins is in no cluster that does not exist yet. Where the others cannot confirm anything
 * without it, because it is to be the second voter, or they lost their leader meanwhile, it is
 * enough that all voters of them answer: each would know what it was promised; or so many as
 * `canMissTheRest` says. Who does not vote
 * was promised nothing, and may itself be waiting for this one. Who was removed since is not asked:
 * whoever knows of the removal has all that was committed until then, and without him nothing was
 * after it.
 */
function mayJoin(membership: Membership, known: KnownPeers, { states, met }: Answers): boolean {
  const voters = membership.peers.filter((peer) => known.isVoter(peer) || !membership.isToldLearner(peer));
  return (voters.length > 0 && voters.every((voter) => states.get(voter) === 'unsure')) || canMissTheRest(membership.self, met);
}

function refuse({ membership, incarnation, isNew, kept }: StartCheck, peer: NodeId, answer: Remembered): void {
  const { self } = membership;
  const remedy = (flags = ''): string =>
    `Put the newest data directory back; if it is lost: kintsugi recover --data-dir DIR${flags}, and start it again: it is re-admitted as a new member in its place`;
  // R5 what it promised is lost.
  if (isNew && (answer.incarnation > 0 || answer.promised.term > 0)) {
    throw new ReplicaError(
      'EMPTIED',
      `the data directory is empty, but member ${formatId(peer)} has met this member (${formatId(self)}) before: what it promised is lost with its files, ` +
        `so it must not vote again under this id. Is its disk mounted? ${remedy(' --emptied')}`,
    );
  }
  // R5 what it promised since is lost.
  if (answer.incarnation >= incarnation) {
    throw new ReplicaError(
      'ROLLED_BACK',
      `the data directory is an old copy: by it this is start ${incarnation} of this member (${formatId(self)}), but member ${formatId(peer)} has met start ` +
        `${answer.incarnation}. What was promised since is missing, so it must not vote. ${remedy()}`,
    );
  }
  const missing = forgotten(answer.promised, kept, peer);
  if (missing !== undefined) {
    throw new ReplicaError(
      'ROLLED_BACK',
      `the data directory does not hold what this member (${formatId(self)}) has promised: member ${formatId(peer)} ${missing}. It must not vote. ${remedy()}`,
    );
  }
}

/** Never rejects because of what it says. */
async function askGuest(check: StartCheck, peer: NodeId): Promise<NoAnswer> {
  try {
    const answer = await ask(check, peer, false);
    if (typeof answer !== 'object') return answer;
    refuse(check, peer, answer);
    return 'stranger';
  } catch (error) {
    if (!(error instanceof ReplicaError)) throw error;
    return error.code === 'REMOVED' ? 'silent' : 'doubtful';
  }
}

async function ask({ env, isNew, membership }: StartCheck, peer: NodeId, first: boolean): Promise<Remembered | NoAnswer> {
  try {
    const request = Uint8Array.of(isNew ? ASKS_AS_NEW : ASKS);
    const reply = new ByteReader(await env.network.call(peer, REMEMBERED_METHOD, request, ASK_MS), 'what a member remembers');
    const state = STATES[reply.u8()];
    const incarnation = reply.u53();
    const said = { term: reply.u53(), acknowledged: reply.u53(), votedForMe: reply.u8() !== 0 };
    // An older program ends here.
    const promised = { ...said, applied: reply.remaining > 0 ? reply.u53() : 0 };
    return { state: state ?? 'unsure', incarnation, promised, met: readMetVoters(reply) };
  } catch (error) {
    if (codeOf(error) === undefined) throw error;
    if (codeOf(error) === 'REMOVED') throw removedError(membership.self, `member ${formatId(peer)} says so`);
    if (first) {
      env.events.emit({ type: 'warning', message: 'a member could not be asked what it remembers of this one', data: { peer: formatId(peer), why: messageOf(error) } });
    }
    return codeOf(error) === 'OTHER_MEMBER' ? 'another' : 'silent';
  }
}
